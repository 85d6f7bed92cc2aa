import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCounterpart } from '../counterparts';
import type { BenchOptions } from './bench';
import {
  answerOf,
  hasDied,
  LoadProcess,
  type RunningBroker,
  startAedes,
  startMosquitto,
  startOurs,
  stop,
} from './broker-contestants';
import type { Figures, Load } from './broker-load';
import type { PacedLoad } from './broker-pace';
import type { BrokerProcessRequest } from './broker-process';
import type { SaturatingLoad } from './broker-saturation';
import { median } from './median';

interface Row {
  name: string;
  load: Load;
  /** The figure that is compared. */
  figure: (figures: Figures) => number;
  floor?: string;
  aim: string;
}

const perProcessorSecond = ({ delivered = 0, processor }: Figures) => delivered / (processor?.used ?? 0);

const saturating = (duration: number, load: Partial<SaturatingLoad> = {}): SaturatingLoad => ({
  ...{ kind: 'saturating', version: 4, qos: 0, publishers: 1, subscribers: 1, window: 5000 },
  ...{ duration, ...load },
});

const paced = (duration: number, load: Partial<PacedLoad> = {}): PacedLoad => ({
  ...{ kind: 'paced', publishers: 1, perSecond: 1000, payloadBytes: 100, readers: 1, stalled: 0 },
  ...{ duration, ...load },
});

function rows(duration: number): Row[] {
  const speed = { figure: perProcessorSecond };
  const qos1 = { qos: 1, window: 500 } as const;
  const qos2 = { qos: 2, window: 20 } as const;
  return [
    { name: '1 -> 1 QoS 0', ...speed, load: saturating(duration), floor: '5', aim: '17' },
    { name: '1 -> 1 QoS 1', ...speed, load: saturating(duration, qos1), floor: '5', aim: '8' },
    { name: '1 -> 1 QoS 2', ...speed, load: saturating(duration, qos2), floor: '5', aim: '8' },
    {
      name: '1 -> 1 QoS 0, MQTT 5',
      ...speed,
      load: saturating(duration, { version: 5 }),
      floor: '5',
      aim: '8',
    },
    {
      name: '1 -> 1 QoS 1, MQTT 5',
      ...speed,
      load: saturating(duration, { ...qos1, version: 5 }),
      floor: '5',
      aim: '5',
    },
    {
      name: '1 -> 1 QoS 2, MQTT 5',
      ...speed,
      load: saturating(duration, { ...qos2, version: 5 }),
      floor: '5',
      aim: '5',
    },
    {
      name: '1 -> 100 QoS 0',
      ...speed,
      load: saturating(duration, { subscribers: 100, window: 500 }),
      aim: '22',
    },
    {
      name: '100 -> 1 QoS 0',
      ...speed,
      load: saturating(duration, { publishers: 100, window: 100 }),
      aim: '8',
    },
    {
      name: '100,000 wildcard filters, 4096 topics',
      ...speed,
      load: saturating(duration, { subscribers: 20, wildcardFilters: 100_000 }),
      aim: '7',
    },
    {
      name: '500 publishers, every message its own write, 10,000/s',
      ...speed,
      load: paced(2 * duration, { publishers: 500, perSecond: 10_000 }),
      floor: '0.75',
      aim: '0.9',
    },
    {
      name: 'p50 at 1,000/s (less is better)',
      load: paced(2 * duration),
      figure: ({ median = 0 }) => median,
      aim: '1.2',
    },
  ];
}

/** Whether aedes, which has no MQTT 5, can take the load. */
function speaks3(load: Load): boolean {
  return load.kind !== 'saturating' || load.version < 5;
}

/**
 * Prints how many messages the embedded broker delivers per second of its processor time, as ratios to Debian's
 * mosquitto in the same run, and aedes' beside them: the median of interleaved rounds. A ratio above 1 means that it
 * delivers more than mosquitto.
 */
export async function benchBroker(
  print: (line: string) => void,
  { long, only }: BenchOptions,
): Promise<void> {
  const program = findCounterpart('mosquitto');
  if (program === undefined) {
    print('Skipped: mosquitto is missing ("npm run test:setup" installs it).');
    return;
  }
  if (cpus().length < 2) {
    print('Skipped: the broker and its load need a processor each.');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'bench-broker-'));
  const running = new Set<RunningBroker>();
  const start = async (starting: Promise<RunningBroker>) => {
    const broker = await starting;
    running.add(broker);
    return broker;
  };
  const end = async (broker: RunningBroker) => {
    running.delete(broker);
    await stop(broker);
  };
  const aedesProgram = findCounterpart('aedes');
  let load = new LoadProcess();
  const rounds = long ? 7 : 3;
  const wanted = (name: string) => only === undefined || name.includes(only);
  const row = (name: string, ours: string, aedes: string, floor: string | undefined, aim: string) =>
    print(`| ${name} | ${ours} | ${aedes} | ${floor ?? '-'} | ${aim} |`);
  try {
    row('case', 'x mosquitto', 'aedes', 'floor', 'aim');
    print('|---|---|---|---|---|');
    const theirs = await start(startMosquitto(program, folder));
    const idle = 'memory per idle connection at 5,000';
    if (wanted(idle)) {
      // Of processes that no other load has made grow.
      const bytes: number[] = [];
      for (const starting of [startOurs(), ...(aedesProgram ? [startAedes(aedesProgram)] : [])]) {
        const broker = await start(starting);
        bytes.push((await load.put(broker, { kind: 'idle', connections: 5000 })).bytesPerConnection ?? 0);
        await end(broker);
      }
      const [our, aedes] = bytes.map((each) => `${(each / 1000).toFixed(1)} KB`);
      row(idle, our ?? '-', aedes ?? '-', '15 KB', '8 KB');
    }

    const ours = await start(startOurs());
    let aedes = aedesProgram === undefined ? undefined : await start(startAedes(aedesProgram));
    /** What aedes makes of a load; nothing where it dies of it, as it does when its stack overflows. */
    const putToAedes = async (shape: Load) => {
      if (aedesProgram === undefined || aedes === undefined) return undefined;
      const measured = await load.put(aedes, shape).catch(() => undefined);
      if (!hasDied(aedes)) return measured;
      running.delete(aedes);
      // The load's process ends with its connections.
      load.stop();
      load = new LoadProcess();
      aedes = await start(startAedes(aedesProgram));
      return undefined;
    };
    const shapes = rows(long ? 2000 : 400).filter(({ name }) => wanted(name));
    for (const { name, load: shape, figure, floor, aim } of shapes) {
      const ratios: number[] = [];
      const ofAedes: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const our = figure(await load.put(ours, shape));
        const their = figure(await load.put(theirs, shape));
        ratios.push(our / their);
        if (!speaks3(shape)) continue;
        const measured = await putToAedes(shape);
        if (measured !== undefined) ofAedes.push(figure(measured) / their);
      }
      const none = aedes !== undefined && speaks3(shape) ? 'died' : '-';
      const beside = ofAedes.length > 0 ? median(ofAedes).toFixed(2) : none;
      row(name, median(ratios).toFixed(2), beside, floor, aim);
    }

    const strict = 'strictly durable 1 -> 1 QoS 1, x aedes in memory';
    if (aedes !== undefined && wanted(strict)) {
      const durable = await start(startOurs(join(folder, 'storage')));
      const shape = saturating(long ? 2000 : 400, { qos: 1, window: 500 });
      const ratios: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const our = perProcessorSecond(await load.put(durable, shape));
        const measured = await putToAedes(shape);
        if (measured !== undefined) ratios.push(our / perProcessorSecond(measured));
      }
      row(
        strict,
        ratios.length > 0 ? median(ratios).toFixed(2) : '-',
        ratios.length > 0 ? '1' : 'died',
        '-',
        '1',
      );
      await end(durable);
    }

    const duration = long ? 10_000 : 2000;
    const stalled = 'what readers get beside one that has stopped reading';
    if (wanted(stalled)) {
      const shape = paced(duration, { perSecond: 10_000, payloadBytes: 2000, readers: 4, stalled: 1 });
      const percent = ({ share = 0 }: Figures) => `${(share * 100).toFixed(1)} %`;
      const measured = await putToAedes(shape);
      const none = aedes === undefined ? '-' : 'died';
      row(stalled, percent(await load.put(ours, shape)), measured ? percent(measured) : none, '-', '100 %');
    }

    const delayed = 'p99 delay of the main thread, broker saturated';
    if (wanted(delayed)) {
      ours.process.send('watch' satisfies BrokerProcessRequest);
      await load.put(ours, saturating(duration));
      const delay = await answerOf<number>(ours.process, 'report');
      row(delayed, `${delay.toFixed(1)} ms`, '-', '-', '5 ms');
    }

    const blocked = 'p99 of clients, main thread blocked 50 ms in every 200';
    if (wanted(blocked)) {
      ours.process.send('block' satisfies BrokerProcessRequest);
      const our: number[] = [];
      const their: number[] = [];
      for (let round = 0; round < 3; round++) {
        our.push((await load.put(ours, paced(duration))).p99 ?? 0);
        their.push((await load.put(theirs, paced(duration))).p99 ?? 0);
      }
      const measured = `${median(our).toFixed(1)} ms (mosquitto ${median(their).toFixed(1)} ms)`;
      row(blocked, measured, '-', '-', '3 ms');
    }
  } finally {
    load.stop();
    for (const broker of running) await stop(broker);
    rmSync(folder, { recursive: true });
  }
}
