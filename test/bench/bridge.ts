import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCounterpart } from '../counterparts';
import type { BenchOptions } from './bench';
import type { BridgeKind } from './bridge-run';
import {
  burstIn,
  burstOut,
  paceFloor,
  paceIn,
  paceOut,
  saturateFloor,
  saturateIn,
  saturateOut,
} from './bridge-runs';
import { type BridgeSample, bridgeSamples } from './bridge-samples';
import { type RunningBroker, startMosquitto, stop } from './broker-contestants';
import { foxgloveObjects } from './foxglove-codec';

/**
 * Multiples of mosquitto's own processor time per message, after what the native bridge of ROS 2 takes there: out less
 * than that, in no more (CDR) and four fifths (JSON).
 */
const AIMS = {
  out: {
    json: { string: 1, imu: 1.2, scan: 8, cloud: 30, image: 20 },
    cdr: { string: 1, imu: 0.8, scan: 1.8, cloud: 3, image: 6 },
  },
  in: {
    json: { string: 0.97, imu: 0.9, scan: 3.6, cloud: undefined, image: undefined },
    cdr: { string: 1.25, imu: 0.96, scan: 1.36, cloud: 2.4, image: 5.5 },
  },
} as const;
const NAMES: Record<BridgeKind, string> = {
  json: 'ours, JSON',
  cdr: 'ours, CDR',
  c: 'C, CDR',
  naive: 'naive JavaScript, JSON',
};
const KINDS: readonly BridgeKind[] = ['json', 'cdr', 'c', 'naive'];
const PACE = 1000;
const PACE_SECONDS = { short: 5, long: 600 };
const BURST = 2000;
const CAMERA = { rate: 30, seconds: 10, flowOutput: true };

const isInstalled = (kind: BridgeKind) =>
  kind !== 'naive' || foxgloveObjects('std_msgs/msg/String') !== undefined;

/** Prints what a bridge of ours takes beside mosquitto, through which all goes, and beside other bridges. */
export async function benchBridge(
  print: (line: string) => void,
  { long, only }: BenchOptions,
): Promise<void> {
  const program = findCounterpart('mosquitto');
  if (program === undefined) throw new Error('mosquitto is missing: run "npm run test:setup"');
  const folder = mkdtempSync(join(tmpdir(), 'bench-bridge-'));
  const broker = await startMosquitto(program, folder, ['max_inflight_messages 0', 'max_queued_messages 0']);
  const wanted = (name: string) => only === undefined || name.includes(only);
  try {
    const samples = bridgeSamples();
    if (!isInstalled('naive'))
      print('Without the naive bridge: npm install --no-save @foxglove/rosmsg2-serialization\n');
    await printSaturated(print, broker, samples, wanted, long);
    await printPaced(print, broker, samples, wanted, long);
    await printBursts(print, broker, samples[0] as BridgeSample, wanted);
  } finally {
    await stop(broker);
    rmSync(folder, { recursive: true });
  }
}

async function printSaturated(
  print: (line: string) => void,
  broker: RunningBroker,
  samples: readonly BridgeSample[],
  wanted: (name: string) => boolean,
  long: boolean,
): Promise<void> {
  print('CPU per message, as fast as it goes, QoS 0; mosquitto: without a bridge\n');
  print('| message | bridge | messages/s | CPU us | mosquitto us | ratio | aim | lost |');
  print('|---|---|---|---|---|---|---|---|');
  for (const sample of samples) {
    const rows = (['out', 'in'] as const).flatMap((direction) =>
      KINDS.filter(isInstalled).map((kind) => {
        const arrow = direction === 'out' ? 'ROS -> MQTT' : 'MQTT -> ROS';
        return { direction, kind, name: `${sample.label}, ${arrow} | ${NAMES[kind]}` };
      }),
    );
    if (!rows.some(({ name }) => wanted(name))) continue;
    const floor = (await saturateFloor(broker, sample, long)).costs[0] as number;
    for (const { direction, kind, name } of rows) {
      if (!wanted(name)) continue;
      const run = direction === 'out' ? saturateOut : saturateIn;
      const { perSecond, costs, lost } = await run(broker, sample, kind, long);
      const cost = costs[0] as number;
      const aim = kind === 'json' || kind === 'cdr' ? AIMS[direction][kind][sample.name] : undefined;
      const cells = [perSecond.toFixed(0), cost.toFixed(1), floor.toFixed(1), (cost / floor).toFixed(2)];
      print(`| ${name} | ${cells.join(' | ')} | ${aim === undefined ? '' : `<= ${aim}`} | ${lost} |`);
    }
  }
}

async function printPaced(
  print: (line: string) => void,
  broker: RunningBroker,
  samples: readonly BridgeSample[],
  wanted: (name: string) => boolean,
  long: boolean,
): Promise<void> {
  const seconds = long ? PACE_SECONDS.long : PACE_SECONDS.short;
  for (const direction of ['out', 'in'] as const) {
    const heading = `${direction === 'out' ? 'ROS -> MQTT' : 'MQTT -> ROS'} at ${PACE} messages/s`;
    if (!wanted(heading)) continue;
    const floor = await paceFloor(broker, PACE, PACE_SECONDS.short);
    print(`\n${heading}; without a bridge p50 ${floor.p50.toFixed(3)} ms, p99 ${floor.p99.toFixed(3)} ms\n`);
    print('| message | bridge | came | CPU us | p50 ms (aim) | p99 ms (aim) | resident MB |');
    print('|---|---|---|---|---|---|---|');
    for (const sample of samples.slice(0, 3)) {
      for (const kind of KINDS.filter(isInstalled)) {
        const run = direction === 'out' ? paceOut : paceIn;
        const { sent, came, cost, p50, p99, resident } = await run(broker, sample, kind, {
          rate: PACE,
          seconds: kind === 'json' ? seconds : PACE_SECONDS.short,
        });
        const times = Number.isNaN(p50)
          ? ['', '']
          : [`${p50.toFixed(3)} (<= ${(2 * floor.p50 + 0.1).toFixed(3)})`, `${p99.toFixed(3)} (< 1)`];
        const memory = resident.map((bytes) => (bytes / 1e6).toFixed(0)).join(' -> ');
        const cells = [sample.label, NAMES[kind], `${came} of ${sent}`, cost.toFixed(1), ...times, memory];
        print(`| ${cells.join(' | ')} |`);
      }
    }
  }
  const camera = `1 MB camera at ${CAMERA.rate} Hz`;
  if (wanted(camera)) {
    const image = samples.at(-1) as BridgeSample;
    const { sent, came, cost, loopDelay } = await paceOut(broker, image, 'json', CAMERA);
    print(
      `\n${camera}, to MQTT and the flow: ${came} of ${sent} came, CPU ${cost.toFixed(0)} us each, ` +
        `event loop of the flows delayed ${loopDelay.toFixed(2)} ms at p99 (aim < 5)`,
    );
  }
}

async function printBursts(
  print: (line: string) => void,
  broker: RunningBroker,
  sample: BridgeSample,
  wanted: (name: string) => boolean,
): Promise<void> {
  const heading = `bursts of ${BURST}`;
  if (!wanted(heading)) return;
  print(`\n${heading} at once, ${sample.label}: how many come\n`);
  print('| bridge | ROS -> MQTT | MQTT -> ROS |');
  print('|---|---|---|');
  for (const kind of KINDS.filter(isInstalled)) {
    const out = await burstOut(broker, sample, kind, BURST);
    const inward = await burstIn(broker, sample, kind, BURST);
    print(`| ${NAMES[kind]} | ${out} | ${inward} |`);
  }
}
