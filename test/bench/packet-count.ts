import type { Socket } from 'node:net';

const PUBLISH = 3;

/** Counts the PUBLISH packets that a socket receives, of any size, without putting them together. */
export function countMessages(socket: Socket, came: (count: number) => void): void {
  /** Bytes of the present packet still to come; of its header while that has not come as a whole. */
  let rest = 0;
  let header: number[] = [];
  socket.on('data', (chunk: Buffer) => {
    let count = 0;
    for (let at = 0; at < chunk.length; ) {
      if (rest > 0) {
        const passed = Math.min(rest, chunk.length - at);
        rest -= passed;
        at += passed;
      } else {
        const byte = chunk[at++] as number;
        header.push(byte);
        if (header.length === 1 || byte > 127) continue;
        rest = header.slice(1).reduce((length, digit, index) => length + (digit & 127) * 128 ** index, 0);
      }
      if (rest > 0) continue;
      if ((header[0] as number) >> 4 === PUBLISH) count++;
      header = [];
    }
    if (count > 0) came(count);
  });
}
