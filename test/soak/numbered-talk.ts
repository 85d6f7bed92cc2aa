import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../../src/client/connection';
import type { Writer } from '../../src/rtps/writer';
import { connected, Inbox, settingsFor } from '../client/observed';
import { RELIABLE, RosPeer, STRING } from '../ros/bridge-fixture';

/** One more message each way every so many ms. */
const PACE = 10;
/** For what is still under way, ms. */
const SETTLING = 2000;

type Side = 'ROS' | 'MQTT';

/** What became of what was said, by where. */
export interface TalkAccount {
  readonly lost: Readonly<Record<Side, number>>;
  readonly doubled: Readonly<Record<Side, number>>;
  /** Messages that came back to where they were said. */
  readonly echoes: number;
}

/** Numbered texts on one topic from ROS to MQTT, and from MQTT to ROS. */
export class NumberedTalk {
  readonly #peer: RosPeer;
  readonly #talker: Connection;
  readonly #observer: Connection;
  readonly #inbox: Inbox;
  readonly #topic: string;
  readonly #writer: Writer;
  readonly #publish: (value: unknown) => void;
  /** What was said since the last account. */
  #said: Record<Side, string[]> = { ROS: [], MQTT: [] };
  #number = 0;
  #talking: NodeJS.Timeout | undefined;

  private constructor(
    peer: RosPeer,
    { publish, writer }: { publish: (value: unknown) => void; writer: Writer },
    [talker, observer]: readonly [Connection, Connection],
    inbox: Inbox,
    topic: string,
  ) {
    this.#peer = peer;
    this.#publish = publish;
    this.#writer = writer;
    this.#talker = talker;
    this.#observer = observer;
    this.#inbox = inbox;
    this.#topic = topic;
  }

  static async open(url: string, domain: number): Promise<NumberedTalk> {
    const clients = [new Connection(settingsFor(url)), new Connection(settingsFor(url))] as const;
    for (const client of clients) {
      client.open();
      await connected(client);
    }
    const topic = `ros/${domain}/chatter`;
    const inbox = await Inbox.on(clients[1], topic);
    const peer = await RosPeer.start(domain);
    const qos = { ...RELIABLE, depth: 1000 };
    await peer.listen('/chatter', STRING, qos, 0);
    return new NumberedTalk(peer, await peer.publisher('/chatter', STRING, qos, 0), clients, inbox, topic);
  }

  /** Bridges that hear what is said in ROS. */
  get bridges(): number {
    return this.#writer.matchedCount;
  }

  get connected(): boolean {
    return [this.#talker, this.#observer].every(({ status }) => status.state === 'connected');
  }

  begin(): void {
    this.#talking = setInterval(() => this.#sayOne(), PACE);
  }

  /** Resolves when what is under way has come. */
  async pause(): Promise<void> {
    clearInterval(this.#talking);
    await sleep(SETTLING);
  }

  /** So many each way. */
  async say(count: number): Promise<void> {
    for (let said = 0; said < count; said++) {
      this.#sayOne();
      await sleep(PACE);
    }
    await sleep(SETTLING);
  }

  /** What has come of what was said since this was asked before. */
  account(): TalkAccount {
    const heard: Record<Side, Map<string, number>> = { ROS: new Map(), MQTT: new Map() };
    const hear = (side: Side, json: string) => {
      const { data } = JSON.parse(json) as { data: string };
      heard[side].set(data, (heard[side].get(data) ?? 0) + 1);
    };
    for (const json of this.#peer.heard.splice(0)) hear('ROS', json);
    for (const { payload } of this.#inbox.messages.splice(0)) hear('MQTT', String(payload));
    const said = this.#said;
    this.#said = { ROS: [], MQTT: [] };
    const times = (from: Side, to: Side) => said[from].map((text) => heard[to].get(text) ?? 0);
    const crossed = { ROS: times('ROS', 'MQTT'), MQTT: times('MQTT', 'ROS') };
    const count = (passes: (times: number) => boolean) => ({
      ROS: crossed.ROS.filter(passes).length,
      MQTT: crossed.MQTT.filter(passes).length,
    });
    const sum = (numbers: readonly number[]) => numbers.reduce((all, number) => all + number, 0);
    return {
      lost: count((times) => times === 0),
      doubled: count((times) => times > 1),
      // The observer hears the talker itself.
      echoes: sum(times('ROS', 'ROS')) + sum(times('MQTT', 'MQTT').map((count) => Math.max(0, count - 1))),
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#talking);
    await Promise.all([this.#talker.close(), this.#observer.close(), this.#peer.stop()]);
  }

  #sayOne(): void {
    const number = this.#number++;
    const [fromRos, fromMqtt] = [`ROS ${number}`, `MQTT ${number}`];
    this.#said.ROS.push(fromRos);
    this.#publish({ data: fromRos });
    if (this.#talker.status.state !== 'connected') return;
    this.#said.MQTT.push(fromMqtt);
    const payload = Buffer.from(JSON.stringify({ data: fromMqtt }));
    this.#talker.post({ topic: this.#topic, payload, retain: false, properties: {}, userProperties: {} });
  }
}
