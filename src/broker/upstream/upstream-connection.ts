import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { networkErrorText } from '../../client/network-error';
import type { Broker } from '../broker';
import { type AcknowledgementType, decodeAcknowledgement } from '../codec/acknowledgement-packet';
import { type ConnackPacket, decodeConnack } from '../codec/connack-packet';
import { encodeConnect } from '../codec/connect-packet';
import { decodeDisconnect, encodeDisconnect } from '../codec/disconnect-packet';
import { PacketFramer } from '../codec/packet-framer';
import { PacketType, type ProtocolVersion, packetTypeOf } from '../codec/packet-type';
import type { Properties } from '../codec/properties';
import { ProtocolError } from '../codec/protocol-error';
import { PublishView } from '../codec/publish-packet';
import { ReasonCode, reasonOfReturnCode, reasonWords } from '../codec/reason-code';
import { decodeSuback } from '../codec/suback-packet';
import { encodeSubscribe, type SubscriptionRequest } from '../codec/subscribe-packet';
import { ConnectionOutput } from '../connection-output';
import type { FlushSchedule } from '../flush-schedule';
import type { Session } from '../session/session';
import { topicAliases } from '../topic-aliases';
import type { UpstreamSettings } from './upstream-settings';

/** How long the upstream broker has to answer CONNECT, the making of the network connection included, ms. */
const CONNECT_TIMEOUT = 15_000;
/** How long the last packet may take to reach a peer that does not close, ms. */
const LINGER = 1000;
/** Seconds that the upstream broker is asked to keep the session of a link that is down. */
const SESSION_EXPIRY = 7 * 24 * 3600;
const PUBACK = PacketType.puback << 4;
const PUBREC = PacketType.pubrec << 4;
const PUBCOMP = PacketType.pubcomp << 4;
const PINGREQ = Buffer.from([PacketType.pingreq << 4, 0]);

/** How a connection ended. */
export interface UpstreamEnd {
  /** In words. */
  reason: string;
  /** The upstream broker has refused what it was asked. */
  refused: boolean;
  /** It ended before CONNACK in a way that an unknown protocol level may be the cause of. */
  versionUnknown: boolean;
}

/** What a connection needs of its surroundings. */
export interface UpstreamEnvironment {
  settings: UpstreamSettings;
  /** Whether CONNECT says that this is a bridge (MQTT 3.1.1). */
  bridge: boolean;
  broker: Broker;
  schedule: FlushSchedule;
  session: Session;
  /** Milliseconds of a clock that does not jump. */
  clock: () => number;
  /** CONNACK has come: the session may be attached to the output. Returns why the link is of no use, or what to subscribe to. */
  connected(connack: ConnackPacket, output: ConnectionOutput): SubscriptionRequest[] | string;
  /** All that was asked for is subscribed to. */
  subscribed(): void;
  /** The upstream broker does not take a message. */
  refused(): void;
  /** A message has come. What this throws ends the connection. */
  message(view: PublishView): void;
  ended(end: UpstreamEnd): void;
}

/**
 * One network connection to an upstream broker, on which this broker is the client. After CONNECT the protocol is the
 * same both ways, so the session that keeps the messages for a client keeps them for the upstream broker, with the
 * same packet identifiers over connections and restarts: what QoS 2 promises holds across both.
 */
export class UpstreamConnection {
  readonly #environment: UpstreamEnvironment;
  readonly #stream: Duplex;
  readonly #output: ConnectionOutput;
  readonly #framer: PacketFramer;
  readonly #view = new PublishView();
  readonly #version: ProtocolVersion;
  #requests: SubscriptionRequest[] = [];
  #subscribeId = 0;
  #connected = false;
  #answered = false;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;
  #lastReceived = 0;

  constructor(stream: Duplex, environment: UpstreamEnvironment) {
    const { broker, schedule, settings } = environment;
    this.#environment = environment;
    this.#stream = stream;
    this.#version = settings.protocolVersion;
    this.#framer = new PacketFramer(broker.limits.packetSize, (header, bytes, packetStart, start, end) => {
      broker.statistics.packetsReceived++;
      this.#receive(header, bytes, packetStart, start, end);
      return !this.#ended;
    });
    this.#output = new ConnectionOutput(
      stream,
      stream instanceof Socket,
      schedule,
      broker.limits.outputBytes,
      broker.statistics,
      broker.memory,
      () => this.#onDrained(),
      (reason) => this.end(reason),
    );
  }

  /** Sends CONNECT and starts reading. */
  open(): void {
    this.#timer = setTimeout(() => this.end('the broker did not answer CONNECT in time'), CONNECT_TIMEOUT);
    let failure: Error | undefined;
    this.#stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#stream.on('error', (error) => {
      failure = error;
    });
    const gone = () => {
      const reason = failure === undefined ? 'the broker closed the connection' : networkErrorText(failure);
      // A broker that does not know the protocol level may close without a word [MQTT-3.1.2-2].
      const silent = failure === undefined && !this.#answered;
      this.#leave({ reason, refused: false, versionUnknown: silent });
    };
    this.#stream.on('end', () => {
      gone();
      this.#stream.end();
    });
    this.#stream.on('close', () => {
      gone();
      this.#output.discard();
    });
    this.#output.packet(this.#connectPacket());
  }

  /** Says goodbye. Nothing is reported any more. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#farewell(
      encodeDisconnect({ type: 'disconnect', reasonCode: ReasonCode.success, properties: {} }, this.#version),
    );
  }

  /** Ends the connection for a reason of this side. */
  end(reason: string): void {
    this.#leave({ reason, refused: false, versionUnknown: false });
    this.#stream.destroy();
  }

  #connectPacket(): Buffer {
    const { settings, bridge, broker } = this.#environment;
    const { username, password } = settings;
    return encodeConnect({
      type: 'connect',
      protocolVersion: this.#version,
      clientId: settings.clientId,
      cleanStart: false,
      keepAlive: settings.keepAlive,
      properties:
        this.#version === 5
          ? { sessionExpiryInterval: SESSION_EXPIRY, maximumPacketSize: broker.limits.packetSize }
          : {},
      ...(bridge && { bridge }),
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password: Buffer.from(password) }),
    });
  }

  #onData(chunk: Buffer): void {
    if (this.#ended) return;
    const { broker, clock } = this.#environment;
    this.#lastReceived = clock();
    this.#answered = true;
    broker.statistics.bytesReceived += chunk.length;
    try {
      this.#framer.push(chunk);
    } catch (error) {
      this.#fail(error);
      return;
    }
    // Answers are never dropped, so a peer that does not read them is not read on.
    const { outputBytes, packetSize } = broker.limits;
    if (!this.#ended && this.#output.pendingBytes > outputBytes + packetSize) this.#stream.pause();
  }

  #onDrained(): void {
    if (this.#ended) return;
    this.#environment.session.drain(this.#environment.clock());
    if (this.#stream.isPaused()) this.#stream.resume();
  }

  #receive(header: number, bytes: Buffer, packetStart: number, start: number, end: number): void {
    const type = packetTypeOf(header);
    if (!this.#connected) {
      if (type !== PacketType.connack) {
        throw new ProtocolError(ReasonCode.protocolError, 'the first packet is not CONNACK'); // [MQTT-3.2.0-1]
      }
      this.#onConnack(bytes, start, end);
      return;
    }
    const { session, clock } = this.#environment;
    const acknowledgement = (name: AcknowledgementType) => {
      const packet = decodeAcknowledgement(name, bytes, start, end, this.#version);
      if (packet.reasonCode >= 0x80 && name !== 'pubcomp') this.#environment.refused();
      return packet;
    };
    switch (type) {
      case PacketType.publish:
        this.#onPublish(bytes, packetStart, start, end);
        break;
      case PacketType.puback:
        session.acknowledged(acknowledgement('puback').packetId, clock());
        break;
      case PacketType.pubrec: {
        const { packetId, reasonCode } = acknowledgement('pubrec');
        session.receivedByClient(packetId, reasonCode, clock());
        break;
      }
      case PacketType.pubcomp:
        session.completed(acknowledgement('pubcomp').packetId, clock());
        break;
      case PacketType.pubrel: {
        const { packetId } = acknowledgement('pubrel');
        const known = session.received.release(packetId);
        const reasonCode = known ? ReasonCode.success : ReasonCode.packetIdentifierNotFound;
        this.#output.acknowledge(PUBCOMP, packetId, reasonCode);
        break;
      }
      case PacketType.suback:
        this.#onSuback(bytes, start, end);
        break;
      case PacketType.pingresp:
        break;
      case PacketType.disconnect:
        this.#onDisconnect(bytes, start, end);
        break;
      default:
        throw new ProtocolError(ReasonCode.protocolError, `packet type ${type} is not for clients`);
    }
  }

  #onConnack(bytes: Buffer, start: number, end: number): void {
    // A broker that knows no MQTT 5 answers in the form of an older one.
    const version = end - start === 2 ? 4 : this.#version;
    const connack = decodeConnack(bytes, start, end, version);
    const { reasonCode, properties } = connack;
    if (reasonCode !== 0) {
      const reason = version === 5 ? reasonCode : reasonOfReturnCode(reasonCode);
      this.#leave({
        reason: withReasonString(reason, properties),
        refused: true,
        versionUnknown: reason === ReasonCode.unsupportedProtocolVersion,
      });
      this.#stream.destroy();
      return;
    }
    clearTimeout(this.#timer);
    this.#connected = true;
    const { broker, settings } = this.#environment;
    const output = this.#output;
    output.v5 = this.#version === 5;
    output.maximumPacketSize = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    output.aliases = topicAliases(properties.topicAliasMaximum ?? 0, broker.limits.topicAliases);
    const requests = this.#environment.connected(connack, output);
    if (typeof requests === 'string') {
      this.#refuse(requests);
      return;
    }
    this.#requests = requests;
    this.#subscribeNext();
    // Twice in the time that the broker allows, whatever else is sent, so that its silence is noticed.
    const keepAlive = properties.serverKeepAlive ?? settings.keepAlive;
    const tick = keepAlive * 500;
    this.#timer = setInterval(() => this.#checkAlive(keepAlive * 1500), Math.max(tick, 250));
  }

  #checkAlive(longestSilence: number): void {
    const { clock } = this.#environment;
    if (clock() - this.#lastReceived > longestSilence) this.end('the broker did not answer PINGREQ in time');
    else this.#output.packet(PINGREQ);
  }

  #onPublish(bytes: Buffer, packetStart: number, start: number, end: number): void {
    const { broker, session, message } = this.#environment;
    const view = this.#view;
    view.parse(bytes, packetStart, start, end, this.#version === 5);
    broker.statistics.messagesReceived++;
    broker.statistics.payloadBytesReceived += view.payloadEnd - view.payloadStart;
    if (view.topicAlias !== 0) {
      throw new ProtocolError(ReasonCode.topicAliasInvalid, 'a topic alias came, and none is allowed');
    }
    const { qos, packetId } = view;
    if (qos === 2 && session.received.has(packetId)) {
      // Sent again: it was taken the first time, whatever room there is now.
      session.waitForStore();
      this.#output.acknowledge(PUBREC, packetId, ReasonCode.success);
      return;
    }
    // What is not acknowledged comes again: better than to take what cannot be kept.
    if (qos > 0 && broker.store.full) {
      const { fault } = broker.store;
      this.#refuse(`there is no room to keep what comes in${fault === undefined ? '' : `: ${fault}`}`);
      return;
    }
    const { position } = broker.store;
    if (qos === 2) session.received.add(packetId, 65_535);
    message(view);
    if (qos === 0) return;
    if (broker.store.position !== position) this.#output.waitFor(broker.store.position);
    this.#output.acknowledge(qos === 1 ? PUBACK : PUBREC, packetId, ReasonCode.success);
  }

  /** One filter at a time, so that an answer belongs to one. */
  #subscribeNext(): void {
    const request = this.#requests[0];
    if (request === undefined) {
      this.#environment.subscribed();
      return;
    }
    const packetId = this.#environment.session.nextPacketId();
    this.#subscribeId = packetId;
    const subscriptions = [request];
    this.#output.packet(
      encodeSubscribe({ type: 'subscribe', packetId, subscriptions, properties: {} }, this.#version),
    );
  }

  #onSuback(bytes: Buffer, start: number, end: number): void {
    const { reasonCodes, properties, packetId } = decodeSuback('suback', bytes, start, end, this.#version);
    const request = this.#requests.shift();
    const reasonCode = reasonCodes[0];
    if (request === undefined || reasonCode === undefined || packetId !== this.#subscribeId) {
      throw new ProtocolError(ReasonCode.protocolError, 'SUBACK answers no SUBSCRIBE');
    }
    if (reasonCode >= 0x80) {
      this.#refuse(`not subscribed to "${request.filter}": ${withReasonString(reasonCode, properties)}`);
    } else {
      this.#subscribeNext();
    }
  }

  #onDisconnect(bytes: Buffer, start: number, end: number): void {
    const { reasonCode, properties } = decodeDisconnect(bytes, start, end, this.#version);
    const reason = `the broker ended the connection: ${withReasonString(reasonCode, properties)}`;
    this.#leave({ reason, refused: false, versionUnknown: false });
    this.#stream.destroy();
  }

  #fail(error: unknown): void {
    if (!(error instanceof ProtocolError)) {
      this.end(`internal error: ${String(error)}`);
      return;
    }
    const { reasonCode, message } = error;
    this.#leave({
      reason: `the broker broke the protocol: ${message}`,
      refused: false,
      versionUnknown: false,
    });
    const last =
      this.#version === 5
        ? encodeDisconnect({ type: 'disconnect', reasonCode, properties: {} }, 5)
        : undefined;
    this.#farewell(last);
  }

  #refuse(reason: string): void {
    this.#leave({ reason, refused: true, versionUnknown: false });
    this.#farewell(undefined);
  }

  /** Closes when the peer does, or after a moment. */
  #farewell(last: Buffer | undefined): void {
    this.#output.close(last);
    this.#stream.end();
    this.#stream.resume();
    const timer = setTimeout(() => this.#stream.destroy(), LINGER);
    this.#stream.once('close', () => clearTimeout(timer));
  }

  #leave(end: UpstreamEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#environment.ended(end);
  }
}

function withReasonString(code: number, { reasonString }: Properties): string {
  return reasonString ? `${reasonWords(code)}: ${reasonString}` : reasonWords(code);
}
