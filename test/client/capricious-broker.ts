import type { Socket } from 'node:net';
import type { Random } from '../random';
import { CONNECT, PUBLISH, packet, type RawPacket, ScriptedBroker, SUBSCRIBE, text } from './scripted-broker';

const [PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBSCRIBE, PINGREQ] = [4, 5, 6, 7, 10, 12];
/** Messages that it has under way to the client at a time. */
const IN_FLIGHT = 5;

interface Sending {
  readonly qos: 1 | 2;
  readonly payload: string;
  taken: boolean;
}

/**
 * A broker for one client that keeps MQTT 5 by the letter and is as difficult as that allows: it cuts the connection
 * before and after each packet, refuses, delays, forgets the session if it may, and changes its limits. What the client
 * may not do it notes as faults.
 */
export class CapriciousBroker {
  readonly #random: Random;
  readonly #forgets: boolean;
  #server!: ScriptedBroker;
  #socket: Socket | undefined;
  #session = false;
  /** Of QoS 2: PUBREC was sent, PUBREL has not come. */
  readonly #taken = new Map<number, string>();
  /** PUBLISH has come, and its exchange has not ended in this connection. */
  readonly #open = new Map<number, string>();
  #receiveMaximum = 0xffff;
  /** What it has decided about a message, to which it keeps. */
  readonly #refused = new Map<string, boolean>();
  readonly #sending = new Map<number, Sending>();
  readonly #unsent: Sending[] = [];
  #lastId = 0;
  /** It does nothing unexpected any more. */
  calm = false;
  /** What has been published, by topic, in the order of its coming. */
  readonly came = new Map<string, string[]>();
  readonly faults: string[] = [];
  #wake: () => void = () => {};

  /** @param forgets whether it loses the session now and then */
  constructor(random: Random, forgets: boolean) {
    this.#random = random;
    this.#forgets = forgets;
  }

  async start(): Promise<void> {
    this.#server = await ScriptedBroker.start((received, socket) => this.#answer(received, socket));
  }

  get url(): string {
    return this.#server.url;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  /** Has a message for the client, on topic "down/<qos>". */
  send(qos: 1 | 2, payload: string): void {
    this.#unsent.push({ qos, payload, taken: false });
    this.#pump();
  }

  /** Resolves when the client has acknowledged all. */
  async acknowledged(): Promise<void> {
    while (this.#sending.size + this.#unsent.length > 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  cut(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #chance(percent: number): boolean {
    return !this.calm && this.#random.below(100) < percent;
  }

  #answer(received: RawPacket, socket: Socket): void {
    if (received.type === CONNECT) {
      this.#connect(received, socket);
      return;
    }
    // What was on its way when it was cut.
    if (socket !== this.#socket) return;
    // The client has seen CONNACK, and so whether there was a session.
    this.#session = true;
    const { type, flags, body } = received;
    const id = body.length < 2 ? 0 : body.readUInt16BE(0);
    if (type === SUBSCRIBE) {
      this.#write(packet(9, 0, body.subarray(0, 2), 0, 2));
      this.#pump();
    }
    if (type === UNSUBSCRIBE) this.#write(packet(11, 0, body.subarray(0, 2), 0, 0));
    else if (type === PINGREQ) this.#write(packet(13, 0));
    else if (type === PUBLISH) this.#publish(flags, body);
    else if (type === PUBREL) this.#release(id);
    else if (type === PUBACK || type === PUBREC || type === PUBCOMP) this.#acknowledge(type, id);
  }

  #connect({ body }: RawPacket, socket: Socket): void {
    const wantsNew = ((body[7] ?? 0) & 2) !== 0;
    this.#socket?.destroy();
    this.#socket = socket;
    if (this.#chance(10)) {
      this.cut();
      return;
    }
    if (this.#chance(10)) {
      socket.end(packet(2, 0, 0, 0x88, 0));
      this.#socket = undefined;
      return;
    }
    if (wantsNew || (this.#forgets && this.#chance(15))) this.#session = false;
    const resumed = this.#session;
    this.#open.clear();
    if (!resumed) {
      this.#taken.clear();
      this.#unsent.unshift(...[...this.#sending.values()].filter(({ qos }) => qos === 1));
      this.#sending.clear();
    }
    this.#receiveMaximum = this.calm ? 0xffff : this.#random.pick([1, 2, 5, 0xffff]);
    const properties = [0x21, this.#receiveMaximum >> 8, this.#receiveMaximum & 0xff];
    this.#write(packet(2, 0, resumed ? 1 : 0, 0, properties.length, ...properties));
    for (const [id, sending] of this.#sending) this.#writeSending(id, sending, true);
    this.#pump();
  }

  #publish(flags: number, body: Buffer): void {
    const qos = (flags >> 1) & 3;
    const end = 2 + body.readUInt16BE(0);
    const topic = body.toString('utf8', 2, end);
    const id = body.readUInt16BE(end);
    const payload = body.toString('utf8', end + 3 + (body[end + 2] ?? 0));
    const repeated = (flags & 8) !== 0;
    const known = this.#taken.get(id) ?? this.#open.get(id);
    if (known !== undefined && known !== payload)
      this.faults.push(`${payload} under the identifier of ${known}`);
    if (this.#open.has(id)) this.faults.push(`${payload} twice in one connection`);
    if (this.#taken.has(id) && !repeated) this.faults.push(`${payload} again without DUP`);
    this.#open.set(id, payload);
    if (this.#open.size > this.#receiveMaximum) this.faults.push(`${this.#open.size} are in flight`);
    if (this.#chance(8)) {
      this.cut();
      return;
    }
    const refused = this.#refused.get(payload) ?? this.#chance(8);
    this.#refused.set(payload, refused);
    if (!refused && !this.#taken.has(id)) this.came.set(topic, [...(this.came.get(topic) ?? []), payload]);
    if (qos === 2 && !refused) this.#taken.set(id, payload);
    if (this.#chance(8)) {
      this.cut();
      return;
    }
    this.#soon(() => {
      if (qos === 1 || refused) this.#open.delete(id);
      const type = qos === 1 ? PUBACK : PUBREC;
      this.#write(
        refused ? packet(type, 0, id >> 8, id & 0xff, 0x97, 0) : packet(type, 0, id >> 8, id & 0xff),
      );
    });
  }

  #release(id: number): void {
    if (this.#chance(8)) {
      this.cut();
      return;
    }
    const known = this.#taken.delete(id);
    if (this.#chance(8)) {
      this.cut();
      return;
    }
    this.#soon(() => {
      this.#open.delete(id);
      this.#write(packet(PUBCOMP, 0, id >> 8, id & 0xff, known ? 0 : 0x92, 0));
    });
  }

  #acknowledge(type: number, id: number): void {
    const sending = this.#sending.get(id);
    if (this.#chance(8)) {
      this.cut();
      return;
    }
    if (sending === undefined) return;
    if (type === PUBREC) {
      sending.taken = true;
      this.#writeSending(id, sending, false);
    } else {
      this.#sending.delete(id);
      this.#pump();
      this.#wake();
    }
  }

  #pump(): void {
    while (this.#socket !== undefined && this.#session && this.#sending.size < IN_FLIGHT) {
      const next = this.#unsent.shift();
      if (next === undefined) return;
      do this.#lastId = (this.#lastId % 20) + 1;
      while (this.#sending.has(this.#lastId));
      this.#sending.set(this.#lastId, next);
      this.#writeSending(this.#lastId, next, false);
    }
  }

  #writeSending(id: number, { qos, payload, taken }: Sending, repeated: boolean): void {
    if (this.#chance(4)) {
      this.cut();
      return;
    }
    const bytes = [id >> 8, id & 0xff];
    if (taken) this.#write(packet(PUBREL, 2, ...bytes));
    else {
      const flags = (qos << 1) | (repeated ? 8 : 0);
      this.#write(packet(PUBLISH, flags, text(`down/${qos}`), ...bytes, 0, Buffer.from(payload)));
    }
  }

  /** Answers keep their order, but may take a while, and be cut off before. */
  #soon(answer: () => void): void {
    const socket = this.#socket;
    const later = (turns: number): void => {
      if (turns > 0) setImmediate(() => later(turns - 1));
      else if (socket === this.#socket) answer();
    };
    later(this.calm ? 0 : this.#random.below(4));
  }

  #write(bytes: Buffer): void {
    this.#socket?.write(bytes);
  }
}
