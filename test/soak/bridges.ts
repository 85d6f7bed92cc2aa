import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Mosquitto } from '../client/mosquitto';
import { findCounterpart } from '../counterparts';
import { Random } from '../random';
import { freshDomain } from '../rtps/test-domain';
import { BridgeCrew } from './bridge-crew';
import { NumberedTalk } from './numbered-talk';
import type { Soak } from './soak';

/** What is done to a bridge, or to the broker. */
const BLOWS = ['kill', 'end', 'suspend', 'broker'] as const;
/** What happens, with the return of those that were killed or ended. */
const EVENTS = [...BLOWS, 'return'] as const;
/** How long there is talk before, ms. */
const BEFORE = 500;
/** Messages each way that must come once when all is in order again. */
const IN_ORDER = 100;
/** The longest that a bridge, or the broker, is away or stands still, ms. */
const AWAY = { bridge: 8000, broker: 3000 };

/**
 * Three bridges of one route, both ways, at a mosquitto, that are killed, ended, suspended and started again, as is the
 * broker, while there is talk on both sides: no message comes back to where it was said, and after each blow the state
 * is right again: the lowest id carries, and the broker says of each what is true. What is lost or doubled meanwhile is
 * printed; where a bridge has died nothing may be doubled.
 */
export async function soakBridges({ print, deadline }: Soak): Promise<void> {
  const seed = Date.now() % 2 ** 32;
  print(`seed ${seed}`);
  const random = new Random(seed);
  const program = findCounterpart('mosquitto');
  if (program === undefined) throw new Error('mosquitto is missing: run "npm run test:setup"');
  const broker = await Mosquitto.of(program);
  const domain = freshDomain();
  const crew = new BridgeCrew(broker.url, domain);
  const talk = await NumberedTalk.open(broker.url, domain);
  const figures = new Map(EVENTS.map((event) => [event, { count: 0, lost: 0, doubled: 0 }]));
  const inOrder = () => crew.inOrder(() => talk.connected && talk.bridges === crew.running.length);
  const during = async (event: (typeof EVENTS)[number], happen: () => Promise<void> | void) => {
    talk.begin();
    await sleep(BEFORE);
    await happen();
    await inOrder();
    await talk.pause();
    const { lost, doubled, echoes } = talk.account();
    const figure = figures.get(event) as { count: number; lost: number; doubled: number };
    figure.count++;
    figure.lost += lost;
    figure.doubled += doubled;
    assert.equal(echoes, 0, `messages came back after "${event}"`);
    if (event === 'kill') assert.equal(doubled, 0, 'messages were doubled though a bridge had died');
    await crew.checkPresence();
    await talk.say(IN_ORDER);
    assert.deepEqual(talk.account(), { lost: 0, doubled: 0, echoes: 0 }, `in order after "${event}"`);
  };
  try {
    crew.startAll();
    await inOrder();
    while (performance.now() < deadline) {
      const blow = random.pick(BLOWS);
      await during(blow, async () => {
        if (blow !== 'broker') {
          await crew.strike(blow, random.pick(crew.running), random.below(AWAY.bridge));
          return;
        }
        await broker.kill();
        await sleep(random.below(AWAY.broker));
        await broker.run();
        crew.forgotten();
      });
      // One that has died may stay away for some rounds.
      const { length } = crew.running;
      if (length < 2 || (length < crew.size && random.below(2) === 0))
        await during('return', () => crew.startAll());
    }
    for (const [event, { count, lost, doubled }] of figures)
      print(`${event}: ${count} times, ${lost} messages lost and ${doubled} doubled meanwhile`);
  } finally {
    await talk.close();
    await crew.close();
    await broker.stop();
  }
}
