import { setTimeout as sleep } from 'node:timers/promises';
import type { RouteCounts } from '../../src/ros/route-counts';
import { BridgeRun, type BridgeRunOptions } from './bridge-run';
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
  /** Where the bridge counts them: images that went to the flow, and those that did not go on, by the reason. */
  readonly toFlow?: number | undefined;
  readonly lost: Readonly<Record<string, number>>;
  /** Microseconds of the bridge's processor time per image, and what of it the thread that runs the flows has used. */
  readonly cost: number;
  readonly flowsCost: number;
  /** How long the event loop of that thread was delayed at p99, and how long while there was no image, ms. */
  readonly loopDelay: number;
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
    const { loopDelay: idleDelay, counts: before } = await run.report();
    await warmed.stop();
    const camera = run.talker({ rate: RATE, count: sent });
    await camera.told('ready');
    const [first, used, usedByFlows] = [toMqtt, times.bridge(), times.flows()];
    camera.write(1);
    await sleep(1000 * SECONDS + SETTLING);
    const came = toMqtt - first;
    const cost = (1000 * (times.bridge() - used)) / came;
    const flowsCost = (1000 * (times.flows() - usedByFlows)) / came;
    const { loopDelay, counts: after } = await run.report();
    const toFlow = before && after && after.flowPublished - before.flowPublished;
    const lost = lostBetween(before, after);
    return { sent, toMqtt: came, toFlow, lost, cost, flowsCost, loopDelay, idleDelay };
  });
}

function lostBetween(before?: RouteCounts, after?: RouteCounts): Record<string, number> {
  const all = (counts?: RouteCounts): Record<string, number> => ({
    ...counts?.dropped,
    'lost in ROS': counts?.rosLost ?? 0,
  });
  const earlier = all(before);
  const grown = Object.entries(all(after)).map(([reason, count]) => [reason, count - (earlier[reason] ?? 0)]);
  return Object.fromEntries(grown.filter(([, count]) => count !== 0));
}
