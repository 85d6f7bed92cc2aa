import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCounterpart } from '../counterparts';
import type { BenchOptions } from './bench';
import { runCamera } from './bridge-camera';
import { type BridgeContestant, EMBEDDED, IN_C, naiveBridges, OURS } from './bridge-contestant';
import { burstIn, burstOut, paceFloor, paceIn, paceOut } from './bridge-pace';
import { type BridgeSample, bridgeSamples } from './bridge-samples';
import { saturate, saturateFloor } from './bridge-saturation';
import { type RunningBroker, startMosquitto, stop } from './broker-contestants';

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
/** What the native bridge takes from ROS in CDR at 1,000 messages/s, as multiples of mosquitto's at the full load there. */
const PACED_AIMS = { string: 64.4 / 8.8, imu: 71.2 / 12, scan: 81 / 11 };
const DIRECTIONS = { out: 'ros-to-mqtt', in: 'mqtt-to-ros' } as const;
const ARROWS = { out: 'ROS -> MQTT', in: 'MQTT -> ROS' } as const;
const WAYS = ['out', 'in'] as const;
const PACE = { rate: 1000, seconds: 5 };
const LONG_PACE = { rate: 1000, seconds: 30 };
const BURST = 2000;

/** What all parts of the bench have in common. */
interface BridgeBench {
  readonly print: (line: string) => void;
  readonly broker: RunningBroker;
  readonly samples: readonly BridgeSample[];
  readonly naive: readonly BridgeContestant[];
  readonly wanted: (name: string) => boolean;
  readonly long: boolean;
}

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
  const naive = naiveBridges();
  const bench: BridgeBench = { print, broker, samples: bridgeSamples(), naive, wanted, long };
  try {
    if (naive.length === 0)
      print('Without the naive bridge: npm install --no-save @foxglove/rosmsg2-serialization\n');
    await printSaturated(bench);
    await printPaced(bench);
    await printCamera(bench);
    await printBursts(bench);
  } finally {
    await stop(broker);
    rmSync(folder, { recursive: true });
  }
}

async function printSaturated({ print, broker, samples, naive, wanted, long }: BridgeBench): Promise<void> {
  print(
    'CPU per message, as fast as it goes; mosquitto alone: without a bridge, to which the ratio is. ' +
      'In-process port: bridge and embedded broker in one process without a socket between them\n',
  );
  print(
    '| message | bridge | messages/s | CPU us | its broker us | mosquitto alone us | ratio | aim | lost |',
  );
  print('|---|---|---|---|---|---|---|---|---|');
  for (const sample of samples) {
    const atQos0 = WAYS.flatMap((way) => [
      ...rowsOf(sample, way, '', [...OURS, IN_C, ...naive]),
      ...rowsOf(sample, way, ', in-process port', EMBEDDED),
    ]);
    // With an acknowledgement each, packets of large messages are no other question than small ones.
    const isSmall = sample.name === 'string' || sample.name === 'imu';
    const atQos1 = WAYS.flatMap((way) =>
      isSmall
        ? [
            ...rowsOf(sample, way, ', QoS 1', [...OURS, IN_C]),
            ...rowsOf(sample, way, ', QoS 1, in-process port', EMBEDDED),
          ]
        : [],
    );
    for (const [qos, rows] of [atQos0, atQos1].entries()) {
      const chosen = rows.filter(({ name }) => wanted(name));
      if (chosen.length === 0) continue;
      const floor = (await saturateFloor(broker, sample, qos as 0 | 1, long)).costs[0] as number;
      for (const { name, way, contestant } of chosen) {
        const options = { contestant, broker, sample, direction: DIRECTIONS[way], qos: qos as 0 | 1 };
        const { perSecond, costs, lost } = await saturate(options, long);
        const [cost, brokerCost] = costs as [number, number];
        // The aims are of messages that the native bridge was measured with, at QoS 0.
        const isAimed = contestant.program === 'ours' && qos === 0;
        const aim = isAimed ? AIMS[way][contestant.format][sample.name] : undefined;
        const cells = [perSecond.toFixed(0), ...[cost, brokerCost, floor].map((us) => us.toFixed(1))];
        const aimed = aim === undefined ? '' : `<= ${aim}`;
        print(`| ${name} | ${cells.join(' | ')} | ${(cost / floor).toFixed(2)} | ${aimed} | ${lost} |`);
      }
    }
  }
}

function rowsOf(
  { label }: BridgeSample,
  way: 'out' | 'in',
  manner: string,
  contestants: readonly BridgeContestant[],
) {
  return contestants.map((contestant) => ({
    name: `${label}, ${ARROWS[way]}${manner} | ${contestant.name}`,
    way,
    contestant,
  }));
}

async function printPaced({ print, broker, samples, naive, wanted, long }: BridgeBench): Promise<void> {
  const pace = long ? LONG_PACE : PACE;
  for (const way of WAYS) {
    const heading = `${ARROWS[way]} at ${pace.rate} messages/s`;
    const rows = samples.slice(0, 3).flatMap((sample) => {
      const all = [
        ...rowsOf(sample, way, '', [IN_C, ...OURS, ...naive]),
        ...rowsOf(sample, way, ', in-process port', EMBEDDED),
      ];
      return all.filter(({ name }) => wanted(`${heading} | ${name}`)).map((row) => ({ ...row, sample }));
    });
    if (rows.length === 0) continue;
    const floor = await paceFloor(broker, pace);
    print(`\n${heading}; without a bridge p50 ${floor.p50.toFixed(3)} ms, p99 ${floor.p99.toFixed(3)} ms\n`);
    print(
      '| message | bridge | came | CPU us | x C | x mosquitto at full load | aim | p50 ms (aim) | p99 ms (aim) |',
    );
    print('|---|---|---|---|---|---|---|---|---|');
    const ofC = new Map<string, number>();
    const ofMosquitto = new Map<string, number>();
    for (const { name, contestant, sample } of rows) {
      const run = way === 'out' ? paceOut : paceIn;
      const options = { contestant, broker, sample, direction: DIRECTIONS[way] };
      if (!ofMosquitto.has(sample.name))
        ofMosquitto.set(sample.name, (await saturateFloor(broker, sample, 0, long)).costs[0] as number);
      const { sent, came, cost, p50, p99 } = await run(options, pace);
      if (contestant === IN_C) ofC.set(sample.name, cost);
      const ratio = cost / (ofC.get(sample.name) ?? Number.NaN);
      const multiple = (cost / (ofMosquitto.get(sample.name) as number)).toFixed(1);
      const isAimed = way === 'out' && contestant.program === 'ours' && contestant.format === 'cdr';
      const aim = isAimed ? `<= ${PACED_AIMS[sample.name as keyof typeof PACED_AIMS].toFixed(1)}` : '';
      const times = Number.isNaN(p50)
        ? ['', '']
        : [`${p50.toFixed(3)} (<= ${(2 * floor.p50 + 0.1).toFixed(3)})`, `${p99.toFixed(3)} (< 1)`];
      const shownRatio = Number.isNaN(ratio) ? '' : ratio.toFixed(2);
      const cells = [name, `${came} of ${sent}`, cost.toFixed(1), shownRatio, multiple, aim, ...times];
      print(`| ${cells.join(' | ')} |`);
    }
  }
}

async function printCamera({ print, broker, samples, naive, wanted }: BridgeBench): Promise<void> {
  const sample = samples.at(-1) as BridgeSample;
  const heading = '1 MB camera at 30 Hz, to MQTT and the flow';
  const rows = rowsOf(sample, 'out', '', [...OURS, ...naive]).filter(({ name }) =>
    wanted(`${heading} | ${name}`),
  );
  if (rows.length === 0) return;
  print(`\n${heading}: how long the event loop of the flows is delayed at p99\n`);
  print(
    '| message | bridge | to MQTT | to the flow | not carried | CPU us | flows us | without images ms | ms (aim < 5) |',
  );
  print('|---|---|---|---|---|---|---|---|---|');
  for (const { name, contestant } of rows) {
    const run = await runCamera({ contestant, broker, sample });
    const { sent, toMqtt, toFlow = '', lost, cost, flowsCost, loopDelay, idleDelay } = run;
    const cells = [
      `${toMqtt} of ${sent}`,
      `${toFlow}`,
      Object.entries(lost)
        .map(([reason, count]) => `${count} ${reason}`)
        .join(', '),
      cost.toFixed(0),
      flowsCost.toFixed(0),
      idleDelay.toFixed(2),
      loopDelay.toFixed(2),
    ];
    print(`| ${name} | ${cells.join(' | ')} |`);
  }
}

async function printBursts({ print, broker, samples, naive, wanted }: BridgeBench): Promise<void> {
  const heading = `bursts of ${BURST}`;
  if (!wanted(heading)) return;
  const sample = samples[0] as BridgeSample;
  print(`\n${heading} at once, ${sample.label}: how many come\n`);
  print('| bridge | ROS -> MQTT | MQTT -> ROS |');
  print('|---|---|---|');
  const embedded = EMBEDDED.map((ours) => ({ ...ours, name: `${ours.name}, in-process port` }));
  for (const contestant of [...OURS, ...embedded, IN_C, ...naive]) {
    const options = { contestant, broker, sample };
    const out = await burstOut({ ...options, direction: 'ros-to-mqtt' }, BURST);
    const inward = await burstIn({ ...options, direction: 'mqtt-to-ros' }, BURST);
    print(`| ${contestant.name} | ${out} | ${inward} |`);
  }
}
