// What the client bench speaks to, in a process of its own, so that the client's processor time is told from it: accepts
// everything, acknowledges what is published, and answers a subscription to `<messages>/<QoS>/...` with so many messages.
import { type AddressInfo, createServer, type Socket } from 'node:net';

const [CONNECT, PUBLISH, SUBSCRIBE, PINGREQ] = [1, 3, 8, 12];
const PAYLOAD = Buffer.alloc(100, 'x');
const BATCH = 100;

/** The packets whose bytes have come whole: type, flags and body. */
function* packets(bytes: Buffer): Generator<{ type: number; flags: number; body: Buffer; end: number }> {
  for (let start = 0; start + 1 < bytes.length; ) {
    let [length, shift, at] = [0, 0, start + 1];
    for (; at < bytes.length; shift += 7) {
      const byte = bytes[at++] as number;
      length |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    const end = at + length;
    if (end > bytes.length) return;
    const first = bytes[start] as number;
    yield { type: first >> 4, flags: first & 15, body: bytes.subarray(at, end), end };
    start = end;
  }
}

async function send(socket: Socket, subscribe: Buffer): Promise<void> {
  const propertiesEnd = 3 + (subscribe[2] ?? 0);
  const properties = subscribe.subarray(2, propertiesEnd);
  const topic = subscribe.subarray(propertiesEnd, propertiesEnd + 2 + subscribe.readUInt16BE(propertiesEnd));
  const [count, qos] = topic.subarray(2).toString().split('/').map(Number) as [number, number];
  let id = 0;
  for (let sent = 0; sent < count; sent += BATCH) {
    const batch = Array.from({ length: BATCH }, () => {
      id = (id % 65_535) + 1;
      const body = Buffer.concat([
        topic,
        qos > 0 ? Buffer.from([id >> 8, id & 255]) : Buffer.alloc(0),
        properties,
        PAYLOAD,
      ]);
      return Buffer.concat([
        Buffer.from([(PUBLISH << 4) | (qos << 1), (body.length & 127) | 128, body.length >> 7]),
        body,
      ]);
    });
    if (!socket.write(Buffer.concat(batch))) await new Promise((resolve) => socket.once('drain', resolve));
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    const bytes = Buffer.concat([rest, chunk]);
    const answers: Buffer[] = [];
    let end = 0;
    for (const packet of packets(bytes)) {
      ({ end } = packet);
      const { type, flags, body } = packet;
      if (type === CONNECT) answers.push(Buffer.from([0x20, 3, 0, 0, 0]));
      else if (type === PINGREQ) answers.push(Buffer.from([0xd0, 0]));
      else if (type === PUBLISH && (flags & 6) === 2) {
        const at = 2 + body.readUInt16BE(0);
        answers.push(Buffer.from([0x40, 2, body[at] as number, body[at + 1] as number]));
      } else if (type === SUBSCRIBE) {
        answers.push(Buffer.from([0x90, 4, body[0] as number, body[1] as number, 0, 1]));
        setImmediate(() => void send(socket, body));
      }
    }
    rest = bytes.subarray(end);
    socket.write(Buffer.concat(answers));
  });
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());
