import { collectedHeap } from '../heap';
import { DdsPeer } from '../peers/dds/dds-peer';
import { freshTopic, STRING } from '../rtps/fixture';
import { program } from './dds-gauge';
import { residentMemory } from './process-use';
import { withParticipant } from './rtps-participant';

const TALKERS = 20;
const RATE = 100;
const RELIABLE = { reliability: 'reliable', durability: 'volatile', depth: 1000 } as const;
/** The part of the time after which compilers and caches are taken to be warm. */
const WARM_UP = 0.2;

export interface HeardTalkers {
  /** Of how many messages how many came. */
  readonly sent: number;
  readonly received: number;
  /** Part of a core that this process used, once it was warm. */
  readonly share: number;
  /** Bytes, when it was warm and at the end: JavaScript objects in use, and what the process held. */
  readonly heap: readonly [number, number];
  readonly resident: readonly [number, number];
}

/** Hears 20 reliable talkers of Cyclone DDS, 100 messages of 64 octets a second each, for so many seconds. */
export function hearTalkers(seconds: number): Promise<HeardTalkers> {
  return withParticipant(async (participant, domain) => {
    const topic = freshTopic();
    const sent = TALKERS * RATE * seconds;
    const memory = () => ({ heap: collectedHeap(), resident: residentMemory(process.pid) });
    let received = 0;
    let warm = { ...memory(), used: process.cpuUsage(), time: 0 };
    const peers: DdsPeer[] = [];
    await new Promise<void>((resolve) => {
      participant.createReader({ topic, type: STRING, qos: RELIABLE }, () => {
        if (++received === WARM_UP * sent)
          warm = { ...memory(), used: process.cpuUsage(), time: performance.now() };
        if (received === sent) resolve();
      });
      const args = {
        domain,
        topic,
        count: RATE * seconds,
        rate: RATE,
        size: 64,
        depth: 1000,
        print: 0,
        idle: 30,
      };
      while (peers.length < TALKERS) peers.push(new DdsPeer(program('dds-peer'), 'pub', { args }));
    });
    const { user, system } = process.cpuUsage(warm.used);
    const share = (user + system) / 1000 / (performance.now() - warm.time);
    const { heap, resident } = memory();
    await Promise.all(peers.map((peer) => peer.stop()));
    return { sent, received, share, heap: [warm.heap, heap], resident: [warm.resident, resident] };
  });
}
