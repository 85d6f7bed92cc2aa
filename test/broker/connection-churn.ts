import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Random } from '../random';
import { BrokerInProcess } from './broker-in-process';
import { encodePacket } from './codec/any-packet';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const AT_ONCE = 20;
const subscribing = { qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
const publishing = { topic: 'churn/1', dup: false, retain: true, properties: {} } as const;

/** What a client says before it dies, in the midst of a packet at times. */
function lastWords(random: Random): Buffer {
  const lasting = random.below(2) === 0;
  const packets = [
    encodePacket(
      {
        type: 'connect',
        protocolVersion: 5,
        clientId: `churn-${random.below(50)}`,
        cleanStart: !lasting,
        keepAlive: 10,
        will: { topic: 'churn/will', payload: Buffer.from('gone'), qos: 1, retain: false, properties: {} },
        properties: lasting ? { sessionExpiryInterval: 60 } : {},
      },
      5,
    ),
    encodePacket(
      {
        type: 'subscribe',
        packetId: 1,
        subscriptions: [
          { filter: random.pick(['churn/#', 'churn/+', '$share/group/churn/1']), ...subscribing },
        ],
        properties: {},
      },
      5,
    ),
    encodePacket({ type: 'publish', payload: Buffer.alloc(200), qos: 2, packetId: 2, ...publishing }, 5),
  ];
  const words = Buffer.concat(packets.slice(0, random.below(4)));
  return random.below(2) === 0 ? words : words.subarray(0, random.below(words.length + 1));
}

/** A broker behind a socket whose clients come, say something and die. */
export class ConnectionChurn {
  readonly #broker = new BrokerInProcess({ queuedMessages: 20 });
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => this.#broker.accept(socket));
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  async open(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** So many clients come and are killed. */
  async cycle(clients: number): Promise<void> {
    this.#broker.events.length = 0;
    for (let count = 0; count < clients; count += AT_ONCE) {
      await Promise.all(this.#random.times(AT_ONCE, () => this.#liveAndDie()));
    }
    await this.#deserted();
  }

  /** Bytes that are in use, and the sockets of this process, after all clients have gone. */
  measure(): { heap: number; sockets: number; clients: number } {
    collectGarbage();
    const { clients } = this.#broker.statistics;
    const sockets = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    return { heap: process.memoryUsage().heapUsed, sockets, clients };
  }

  async close(): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #liveAndDie(): Promise<void> {
    const { port } = this.#server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    // `once` would reject at a reset.
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.write(lastWords(this.#random), resolve));
    if (this.#random.below(2) === 0) socket.resetAndDestroy();
    else socket.destroy();
    await closed;
  }

  /** Resolves when the broker has noticed that all have gone. */
  async #deserted(): Promise<void> {
    for (;;) {
      const connections = await new Promise<number>((resolve, reject) => {
        this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      });
      await new Promise(setImmediate);
      if (connections === 0) return;
    }
  }
}
