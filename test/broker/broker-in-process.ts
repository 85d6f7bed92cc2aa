import { type Duplex, duplexPair } from 'node:stream';
import { AccessControl } from '../../src/broker/access/access-control';
import type { AccessSettings } from '../../src/broker/access/access-settings';
import type { DecisionRequest } from '../../src/broker/access/decisions';
import { Broker } from '../../src/broker/broker';
import type { BrokerEvent } from '../../src/broker/broker-event';
import { type Capabilities, capabilitiesOf } from '../../src/broker/capabilities';
import type { ConnectPacket } from '../../src/broker/codec/connect-packet';
import type { ProtocolVersion } from '../../src/broker/codec/packet-type';
import { Connections } from '../../src/broker/connections';
import { type Limits, limitsOf } from '../../src/broker/limits';
import type { Peer } from '../../src/broker/peer';
import { type BrokerStatistics, newStatistics } from '../../src/broker/statistics';
import { MemoryStore } from '../../src/broker/store/memory-store';
import type { Store } from '../../src/broker/store/store';
import { MqttPeer } from './mqtt-peer';

/** The broker without thread and sockets, with a clock that the test turns. */
export class BrokerInProcess {
  readonly statistics: BrokerStatistics = newStatistics();
  readonly events: BrokerEvent[] = [];
  readonly decisions: DecisionRequest[] = [];
  readonly access: AccessControl;
  readonly #connections: Connections;
  #now = 1000;

  readonly #store: Store;

  /** @param store open already; with a clock of its own, which the test turns then */
  constructor(
    limits: Partial<Limits & Capabilities> = {},
    store: Store = new MemoryStore(() => this.#now),
    access: AccessSettings = {},
  ) {
    this.#store = store;
    this.access = new AccessControl(access, false, this.statistics, store.clock, (request) =>
      this.decisions.push(request),
    );
    const broker = new Broker(limitsOf(limits), this.statistics, capabilitiesOf(limits), store);
    broker.restore();
    this.#connections = new Connections(broker, this.access, store.clock, (event) => this.events.push(event));
  }

  /** To be called when the store says that it has changed. */
  storeChanged(): void {
    this.#connections.storeChanged();
  }

  /** Lets time pass and the broker look at the clock. */
  pass(seconds: number): void {
    this.#now += seconds * 1000;
    this.#connections.check(this.#store.clock());
  }

  /** The client's end of a new connection. */
  openStream(peer?: Peer): Duplex {
    const [ours, theirs] = duplexPair({ allowHalfOpen: false });
    // A pair does not pass a destruction on, as a network does.
    ours.on('close', () => theirs.destroy());
    theirs.on('close', () => ours.destroy());
    this.accept(theirs, peer);
    return ours;
  }

  /** Takes the broker's end of a connection that the test has made. */
  accept(stream: Duplex, peer: Peer = { address: 'test' }): void {
    if (this.#connections.admit(stream, peer)) this.#connections.serve(stream, peer);
  }

  open(version: ProtocolVersion, peer?: Peer): MqttPeer {
    return new MqttPeer(this.openStream(peer), version);
  }

  /** A client that is connected. */
  async client(version: ProtocolVersion, options: Partial<ConnectPacket> = {}): Promise<MqttPeer> {
    const peer = this.open(version);
    const { reasonCode } = await peer.connect(options);
    if (reasonCode !== 0) throw new Error(`CONNACK says ${reasonCode}`);
    return peer;
  }
}
