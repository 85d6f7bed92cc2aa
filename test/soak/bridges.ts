import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerCommand } from '../cli/broker-command';
import { Mosquitto } from '../client/mosquitto';
import { findCounterpart } from '../counterparts';
import { Random } from '../random';
import { freshDomain } from '../rtps/test-domain';
import { BridgeCrew } from './bridge-crew';
import { NumberedTalk, type TalkAccount } from './numbered-talk';
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

const NONE = { ROS: 0, MQTT: 0 };

/** What one kind of event has cost. */
class Figures {
  #count = 0;
  readonly #lost = { ...NONE };
  readonly #doubled = { ...NONE };

  add({ lost, doubled }: TalkAccount): void {
    this.#count++;
    for (const side of ['ROS', 'MQTT'] as const) {
      this.#lost[side] += lost[side];
      this.#doubled[side] += doubled[side];
    }
  }

  get text(): string {
    const from = ({ ROS, MQTT }: typeof NONE) => `${ROS} from ROS, ${MQTT} from MQTT`;
    return `${this.#count} times; lost meanwhile ${from(this.#lost)}; doubled ${from(this.#doubled)}`;
  }
}

/** A broker that can be killed and started again. */
interface MortalBroker {
  readonly url: string;
  run(): Promise<void>;
  kill(): Promise<unknown>;
  stop(): Promise<unknown>;
}

/** At a mosquitto; see `soakBridgesAt`. */
export async function soakBridges(soak: Soak): Promise<void> {
  const program = findCounterpart('mosquitto');
  if (program === undefined) throw new Error('mosquitto is missing: run "npm run test:setup"');
  await soakBridgesAt(await Mosquitto.of(program), soak);
}

/** At the embedded broker as a command; see `soakBridgesAt`. */
export async function soakBridgesEmbedded(soak: Soak): Promise<void> {
  let broker = await BrokerCommand.start();
  const { port } = broker;
  await soakBridgesAt(
    {
      url: `mqtt://127.0.0.1:${port}`,
      run: async () => {
        broker = await BrokerCommand.start({ options: ['--mqtt-port', String(port)] });
      },
      kill: () => broker.stop('SIGKILL'),
      stop: () => broker.stop(),
    },
    soak,
  );
}

/**
 * Three bridges of one route, both ways, at one broker, that are killed, ended, suspended and started again, as is the
 * broker, while there is talk on both sides: no message comes back to where it was said, and after each blow the state
 * is right again: the lowest id carries, and the broker says of each what is true. What is lost or doubled meanwhile is
 * printed; where a bridge has died nothing may be doubled.
 */
async function soakBridgesAt(broker: MortalBroker, { print, deadline, seed }: Soak): Promise<void> {
  print(`seed ${seed}`);
  const random = new Random(seed);
  const domain = freshDomain();
  const crew = new BridgeCrew(broker.url, domain);
  const talk = await NumberedTalk.open(broker.url, domain);
  const figures = new Map(EVENTS.map((event) => [event, new Figures()]));
  const inOrder = () => crew.inOrder(() => talk.connected && talk.bridges === crew.running.length);
  const during = async (event: (typeof EVENTS)[number], happen: () => Promise<void> | void) => {
    talk.begin();
    await sleep(BEFORE);
    await happen();
    await inOrder();
    await talk.pause();
    const account = talk.account();
    const { doubled, echoes } = account;
    figures.get(event)?.add(account);
    assert.equal(echoes, 0, `messages came back after "${event}"`);
    if (event === 'kill') assert.deepEqual(doubled, NONE, 'messages were doubled though a bridge had died');
    await crew.checkPresence();
    await talk.say(IN_ORDER);
    const isInOrder = { lost: NONE, doubled: NONE, echoes: 0 };
    assert.deepEqual(talk.account(), isInOrder, `in order after "${event}"`);
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
    for (const [event, { text }] of figures) print(`${event}: ${text}`);
  } finally {
    await talk.close();
    await crew.close();
    await broker.stop();
  }
}
