import type { IPublishPacket } from 'mqtt';

const PUBACK = 0x40;
const PUBREC = 0x50;
const PUBCOMP = 0x70;
const FIRST_ERROR_CODE = 0x80;
const LONGEST_ANSWER = 5;
/** Room for answers at first; it grows to what one turn of the loop brings. */
const ANSWERS_BYTES = 4096;

/** One received message that its sender has to be answered for, at QoS 1 with PUBACK, at QoS 2 with PUBREC. */
interface Exchange {
  readonly packetId: number;
  readonly qos: number;
  /** Connection in which it came last. */
  connection: number;
  /** Who has not said yet that the message is done with. */
  holders: number;
  /** Reason code of the answer; the highest that a holder gave. */
  code: number;
  /** The disk knows of it, or need not. */
  recorded: boolean;
  /** It was received in an earlier run. */
  readonly restored: boolean;
}

/** What keeps the packet identifiers of QoS 2 for the next run. */
export interface ReceivedIdentifiers {
  /** The message has been delivered; calls back when it may be answered with PUBREC. */
  delivered(packetId: number, answer: () => void): void;
  /** It has been released; calls back when that may be answered with PUBCOMP. */
  released(packetId: number, answer: () => void): void;
  /** None stands for anything any more. */
  releaseAll(): void;
}

/** Keeps a received message unanswered until `release` is called; further calls do nothing. */
export type Hold = () => (reasonCode?: number) => void;

/**
 * The receiving side of QoS 1 and 2 (MQTT 5.0 section 4.3): which messages have been received and not answered, and
 * which packet identifiers of QoS 2 the broker has not released. It outlives network connections as the session does,
 * so that what the broker sends again is neither delivered twice at QoS 2 nor, while a listener still works on it, at
 * QoS 1. Answers go out in the order in which the messages came [MQTT-4.6.0-2, MQTT-4.6.0-3].
 */
export class IncomingExchanges {
  readonly #answer: (answers: Buffer) => void;
  readonly #withCodes: boolean;
  readonly #lasting: ReceivedIdentifiers | undefined;
  readonly #byId = new Map<number, Exchange>();
  #unanswered: Exchange[] = [];
  #answers = Buffer.alloc(ANSWERS_BYTES);
  #answersLength = 0;
  #connection = 0;

  /**
   * `answer` sends PUBACK, PUBREC and PUBCOMP packets over the present connection.
   * @param withCodes answers can carry a reason code: MQTT 5
   * @param lasting for a session that outlives this run
   */
  constructor(answer: (answers: Buffer) => void, withCodes: boolean, lasting?: ReceivedIdentifiers) {
    this.#answer = answer;
    this.#withCodes = withCodes;
    this.#lasting = lasting;
  }

  /** Takes up the packet identifiers of messages that were delivered in an earlier run. */
  restore(packetIds: Iterable<number>): void {
    for (const packetId of packetIds) {
      const exchange = {
        packetId,
        qos: 2,
        connection: 0,
        holders: 0,
        code: 0,
        recorded: true,
        restored: true,
      };
      this.#byId.set(packetId, exchange);
    }
  }

  /** Messages that have not been answered. */
  get unanswered(): number {
    return this.#unanswered.length;
  }

  /** A connection is made; the broker still has the session, or not. */
  connected(resumed: boolean): void {
    if (!resumed) {
      this.#byId.clear();
      this.#lasting?.releaseAll();
    }
    this.#connection++;
  }

  /** The connection has ended. */
  lost(): void {
    this.#unanswered = [];
    this.#answersLength = 0;
    for (const [id, { qos, connection }] of this.#byId) {
      // Not sent again in this connection: the broker has given it up, and may use its number for another message.
      if (qos === 1 && connection !== this.#connection) this.#byId.delete(id);
    }
  }

  /**
   * A PUBLISH packet has come: has `deliver` hand it on, unless that was done before. `deliver` may take any number of
   * holds on it; it is answered when they are released, at once if there is none.
   */
  receive(packet: IPublishPacket, deliver: (hold: Hold) => void): void {
    const { qos, dup, messageId } = packet;
    if (qos === 0 || messageId === undefined) {
      deliver(() => () => {});
      return;
    }
    const known = this.#byId.get(messageId);
    // What was received in an earlier run may have been from another broker: only a repetition is the same.
    if (known !== undefined && known.qos === qos && (dup || (qos === 2 && !known.restored))) {
      known.connection = this.#connection;
      this.#unanswered.push(known);
      this.#flush();
      return;
    }
    if (known !== undefined) this.#byId.delete(messageId);
    let exchange: Exchange | undefined;
    deliver(() => {
      exchange ??= this.#begin(messageId, qos);
      const held = exchange;
      held.holders++;
      return once((code) => this.#release(held, code));
    });
    // Nobody holds it, and nothing has to be answered before it: the usual case, which need not be noted.
    if (exchange === undefined && qos === 1 && this.#unanswered.length === 0)
      this.#send(PUBACK, messageId, 0);
    else this.#release(exchange ?? this.#begin(messageId, qos), 0);
  }

  /** Sends now what has been answered and would go out at the end of this turn of the loop. */
  sendAnswers(): void {
    // The connection may have ended meanwhile.
    if (this.#answersLength === 0) return;
    const answers = Buffer.from(this.#answers.subarray(0, this.#answersLength));
    this.#answersLength = 0;
    this.#answer(answers);
  }

  #begin(packetId: number, qos: number): Exchange {
    const exchange = {
      packetId,
      qos,
      connection: this.#connection,
      holders: 1,
      code: 0,
      recorded: qos === 1 || this.#lasting === undefined,
      restored: false,
    };
    this.#byId.set(packetId, exchange);
    this.#unanswered.push(exchange);
    return exchange;
  }

  /** PUBREL has come: the packet identifier may stand for another message from now on. */
  complete(packetId: number): void {
    if (this.#byId.get(packetId)?.qos === 2) this.#byId.delete(packetId);
    if (this.#lasting === undefined) {
      this.#send(PUBCOMP, packetId, 0);
      return;
    }
    const connection = this.#connection;
    this.#lasting.released(packetId, () => {
      if (connection === this.#connection) this.#send(PUBCOMP, packetId, 0);
    });
  }

  #release(exchange: Exchange, code: number): void {
    if (this.#withCodes) exchange.code = Math.max(exchange.code, code);
    if (--exchange.holders > 0) return;
    // A message that is refused will come again, if at all, as another one. And the session may be another by now.
    const present = this.#byId.get(exchange.packetId) === exchange;
    if (exchange.recorded || exchange.code >= FIRST_ERROR_CODE || !present) this.#answered(exchange);
    else this.#lasting?.delivered(exchange.packetId, () => this.#answered(exchange));
  }

  #answered(exchange: Exchange): void {
    exchange.recorded = true;
    this.#flush();
  }

  #flush(): void {
    let done = 0;
    for (const exchange of this.#unanswered) {
      if (exchange.holders > 0 || !exchange.recorded) break;
      done++;
      const { packetId, qos, code } = exchange;
      // An error ends a QoS 2 exchange as PUBACK ends one of QoS 1 [MQTT-4.3.3-9].
      if ((qos === 1 || code >= FIRST_ERROR_CODE) && this.#byId.get(packetId) === exchange)
        this.#byId.delete(packetId);
      this.#send(qos === 1 ? PUBACK : PUBREC, packetId, code);
    }
    if (done > 0) this.#unanswered.splice(0, done);
  }

  // What is answered in one turn of the loop goes out in one write.
  #send(type: number, packetId: number, code: number): void {
    if (this.#answersLength === 0) setImmediate(() => this.sendAnswers());
    else if (this.#answersLength + LONGEST_ANSWER > this.#answers.length) {
      this.#answers = Buffer.concat([this.#answers], this.#answers.length * 2);
    }
    const answers = this.#answers;
    const at = this.#answersLength;
    answers[at] = type;
    answers[at + 1] = code === 0 ? 2 : 3;
    answers[at + 2] = packetId >> 8;
    answers[at + 3] = packetId & 0xff;
    answers[at + 4] = code;
    this.#answersLength = at + (code === 0 ? 4 : 5);
  }
}

function once(call: (code: number) => void): (code?: number) => void {
  let called = false;
  return (code = 0) => {
    if (called) return;
    called = true;
    call(code);
  };
}
