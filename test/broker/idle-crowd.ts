import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeAll, openClient } from '../bench/broker-client';
import { encodePacket } from './codec/any-packet';

const AT_ONCE = 50;
/** Between so many and the next, ms: the broker lets in 5,000 a second from one address. */
const PAUSE = 20;
const PING = encodePacket({ type: 'pingreq' }, 4);

/** Clients that are connected and do nothing. */
export class IdleCrowd {
  readonly #sockets: Socket[] = [];

  async grow(port: number, clients: number): Promise<void> {
    while (this.#sockets.length < clients) {
      const opening = Array.from({ length: AT_ONCE }, () => openClient(port, 4));
      this.#sockets.push(...(await Promise.all(opening)));
      await sleep(PAUSE);
    }
  }

  /** Resolves with how many got an answer to a ping: all of them, or it does not resolve. */
  async ping(): Promise<number> {
    const answers = this.#sockets.map(async (socket) => {
      socket.write(PING);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      return answer.equals(Buffer.from([0xd0, 0]));
    });
    return (await Promise.all(answers)).filter(Boolean).length;
  }

  async leave(): Promise<void> {
    await closeAll(this.#sockets);
  }
}
