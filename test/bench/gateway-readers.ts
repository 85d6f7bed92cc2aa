// WebSocket readers of the gateway in a process of their own. They read and count bytes alone, so that what is measured
// is the gateway.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** So many readers of one topic; without it, how many bytes they have read since they were last asked. */
export type ReadersRequest = { port: number; path: string; readers: number } | 'report';

const AT_ONCE = 50;
/** A sign of life, unasked (RFC 6455 section 5.5.3), and how often it is given, ms. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const PONG_INTERVAL = 10_000;

let bytes = 0;

async function open(port: number, path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const head = [`GET ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: Upgrade', 'Upgrade: websocket'];
  socket.write([...head, `Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Version: 13', '', ''].join('\r\n'));
  const [answer] = await once(socket, 'data');
  if (!String(answer).startsWith('HTTP/1.1 101 ')) throw new Error(`no WebSocket: ${answer}`);
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  setInterval(() => socket.write(PONG), PONG_INTERVAL);
  socket.on('close', () => {
    console.error('a reader was cut off');
    process.exit(1);
  });
  return socket;
}

process.on('message', (request: ReadersRequest) => {
  if (request === 'report') {
    process.send?.(bytes);
    bytes = 0;
    return;
  }
  const { port, path, readers } = request;
  const openAll = async () => {
    for (let left = readers; left > 0; left -= AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, () => open(port, path)));
    }
  };
  openAll().then(
    () => process.send?.(0),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit());
