import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import { Connection } from '../../src/client/connection';
import { PortStream } from '../../src/client/port-stream';
import { connected, settingsFor } from './observed';
import { packet } from './scripted-broker';

const CONNACK = packet(2, 0, 0, 0, 0);
const BYTES = 8 * 1024 * 1024;
const TOPIC = 'image';
/** For a PUBLISH packet, whose remaining length takes four bytes. */
const puback = (publish: Buffer) => packet(4, 0, publish.subarray(7 + TOPIC.length, 9 + TOPIC.length));

describe('a payload whose memory is the connection’s', () => {
  let server: Server;
  let connection: Connection;
  let accepted: Promise<Socket>;

  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    accepted = once(server, 'connection').then(([socket]) => socket);
    const { port } = server.address() as { port: number };
    connection = new Connection(settingsFor(`mqtt://127.0.0.1:${port}`, 5));
    connection.open();
    const socket = await accepted;
    await once(socket, 'data');
    socket.write(CONNACK);
    await connected(connection);
  });

  afterEach(async () => {
    (await accepted).destroy();
    await connection.close();
    server.close();
  });

  const publish = (payload: Buffer, qos: 0 | 1 = 1) =>
    connection.publish(TOPIC, payload, { qos, retain: false, ownsMemory: true });

  /** Reads as long as the packet with that payload is not whole. */
  const read = (socket: Socket, first: Buffer) =>
    new Promise<Buffer>((resolve) => {
      const chunks = [first];
      let bytes = first.length;
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > BYTES) resolve(Buffer.concat(chunks));
      });
    });

  it('is freed when the broker has acknowledged it', async () => {
    const payload = Buffer.alloc(BYTES, 'image');
    const published = publish(payload);
    const socket = await accepted;
    socket.write(puback(await read(socket, Buffer.alloc(0))));
    await published;
    assert.equal(payload.length, 0);
  });

  it('comes whole to a broker that acknowledges it before it has come', async () => {
    const socket = await accepted;
    const published = publish(Buffer.alloc(BYTES, 'image'));
    const [first] = (await once(socket, 'data')) as [Buffer];
    socket.pause();
    socket.write(puback(first));
    await published;
    // Takes the place of what is free.
    const others = Array.from({ length: 4 }, () => Buffer.alloc(BYTES, 'other'));
    const whole = read(socket, first);
    socket.resume();
    const payload = (await whole).subarray(-BYTES);
    assert.ok(payload.equals(Buffer.alloc(BYTES, 'image')));
    assert.equal(others.length, 4);
  });

  it('comes whole at QoS 0, where nobody says when the network has read it', async () => {
    const socket = await accepted;
    const received = once(socket, 'data');
    await publish(Buffer.alloc(8000, 'image'), 0);
    const [bytes] = (await received) as [Buffer];
    assert.ok(bytes.subarray(-8000).equals(Buffer.alloc(8000, 'image')));
  });

  it('comes whole to a broker in another thread that acknowledges it before it is handed over', async () => {
    const { port1, port2 } = new MessageChannel();
    const near = new Connection({
      ...settingsFor('mqtt://unused', 5),
      endpoint: { openStream: () => new PortStream(port1) },
    });
    const said = () =>
      new Promise<Buffer>((resolve) => {
        port2.on('message', (frame) => frame instanceof ArrayBuffer && resolve(Buffer.from(frame)));
      });
    const say = (bytes: Buffer) => port2.postMessage(Uint8Array.from(bytes).buffer);
    const connect = said();
    near.open();
    await connect;
    say(CONNACK);
    await connected(near);
    const small = said();
    const first = near.publish(TOPIC, 'x', { qos: 1, retain: false });
    const packetId = (await small).readUInt16BE(4 + TOPIC.length);
    const acknowledge = (id: number) => say(packet(4, 0, id >> 8, id & 0xff));
    acknowledge(packetId);
    await first;
    const large = said();
    const payload = Buffer.alloc(20_000, 'image');
    const published = near.publish(TOPIC, payload, { qos: 1, retain: false, ownsMemory: true });
    setImmediate(() => acknowledge((packetId % 0xffff) + 1));
    await published;
    assert.ok((await large).subarray(-20_000).equals(Buffer.alloc(20_000, 'image')));
    port2.close();
    await near.close();
  });
});
