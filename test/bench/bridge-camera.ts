import { setTimeout as sleep } from 'node:timers/promises';
import { BridgeRun, type BridgeRunOptions } from './bridge-run';
import type { BridgeReport } from './bridge-task';
import { countMessages } from './packet-count';

const RATE = 30;
const SECONDS = 10;
/** Images until compilers and memory pools are taken to be warm. */
const WARM_UP = 60;
/** For what is still under way, and for the bridge's next status, ms. */
const SETTLING = 1500;

export interface CameraRun {
  readonly sent: number;
  readonly toMqtt: number;
  /** Microseconds of the bridge's processor time per image. */
  readonly cost: number;
  /** Of the thread that runs the flows. */
  readonly report: BridgeReport;
  /** How long its event loop was delayed at p99 while there was no image, ms. */
  readonly idleDelay: number;
}

/** A camera at 30 Hz to MQTT and to the flow. */
export function runCamera(options: Omit<BridgeRunOptions, 'direction' | 'flowOutput'>): Promise<CameraRun> {
  const all = { ...options, direction: 'ros-to-mqtt', flowOutput: true } as const;
  return BridgeRun.use(all, async (run) => {
    const subscriber = await run.subscriber();
    const [warmed, sent] = [run.talker({ rate: RATE, count: WARM_UP }), RATE * SECONDS];
    const [times] = await Promise.all([run.ready(), warmed.told('ready')]);
    let toMqtt = 0;
    countMessages(subscriber, (count) => {
      toMqtt += count;
    });
    warmed.write(1);
    await sleep((1000 * WARM_UP) / RATE + SETTLING);
    await run.report();
    await sleep(SETTLING);
    const { loopDelay: idleDelay } = await run.report();
    await warmed.stop();
    const camera = run.talker({ rate: RATE, count: sent });
    await camera.told('ready');
    const [first, used] = [toMqtt, times.bridge()];
    camera.write(1);
    await sleep(1000 * SECONDS + SETTLING);
    const cost = (1000 * (times.bridge() - used)) / (toMqtt - first);
    return { sent, toMqtt: toMqtt - first, cost, report: await run.report(), idleDelay };
  });
}
