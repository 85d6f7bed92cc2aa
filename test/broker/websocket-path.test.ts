import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ClientOptions, createWebSocketStream, WebSocket } from 'ws';
import { BrokerThread } from '../../src/broker/broker-thread';
import { WebSocketPath } from '../../src/broker/listeners/websocket-path';
import { MqttPeer } from './mqtt-peer';

describe('MQTT on a path of an HTTP server', function () {
  this.timeout(60_000);
  let server: Server;
  let broker: BrokerThread;
  let path: WebSocketPath;
  let streams: Duplex[];

  beforeEach(async () => {
    streams = [];
    server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    broker = new BrokerThread({ listeners: [] });
    path = new WebSocketPath(server, '/mqtt', broker, [], 1_000_000);
    path.open();
    await broker.start();
  });
  afterEach(async () => {
    path.close();
    for (const stream of streams) stream.destroy();
    await broker.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const open = (at: string, options: ClientOptions = {}) =>
    new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}${at}`, ['mqtt'], options);
  function peer(options: ClientOptions = {}): MqttPeer {
    const stream = createWebSocketStream(open('/mqtt?from=here', options));
    streams.push(stream);
    return new MqttPeer(stream, 5);
  }

  it('reaches the broker in its thread', async () => {
    const [one, other] = [peer(), peer()];
    await one.connect();
    await other.connect();
    await one.subscribe('t', { qos: 1 });
    other.publish('t', 'x'.repeat(500_000), { qos: 1 });
    assert.equal((await one.expect('publish')).payload.length, 500_000);
    assert.equal((await other.expect('puback')).reasonCode, 0);
  });

  it('ends a connection when too much has come of messages that are not whole', async () => {
    path.close();
    path = new WebSocketPath(server, '/mqtt', broker, [], 100_000_000);
    path.open();
    const sockets = [open('/mqtt'), open('/mqtt')];
    for (const socket of sockets) {
      const stream = createWebSocketStream(socket);
      stream.on('error', () => {});
      streams.push(stream);
      await new MqttPeer(stream, 5).connect();
    }
    const closed = Promise.race(sockets.map((socket) => once(socket, 'close')));
    for (const socket of sockets) socket.send(Buffer.alloc(60_000_000), { binary: true, fin: false });
    await closed;
    assert.equal(sockets.filter((socket) => socket.readyState === WebSocket.OPEN).length, 1);
  });

  it('leaves other paths to others', async () => {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      if (request.url === '/other')
        socket.end('HTTP/1.1 418 Other\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
    const socket = open('/other');
    socket.on('error', () => {});
    const [, response] = await once(socket, 'unexpected-response');
    assert.equal(response.statusCode, 418);
  });

  it('does not take a client that a reverse proxy passes on for a local one', async () => {
    const refused = once(broker, 'event');
    const remote = peer({ headers: { 'X-Forwarded-For': '127.0.0.1, 192.0.2.7' } });
    assert.equal(await remote.next(), undefined);
    const [{ type, address, reason }] = await refused;
    assert.deepEqual([type, address], ['refused', '192.0.2.7:0']);
    assert.match(reason, /other machines are not allowed/);
  });

  it("is one broker's at a time, and closes its connections", async () => {
    const second = new WebSocketPath(server, '/mqtt', broker, [], 1000);
    assert.throws(() => second.open(), /WebSocket path \/mqtt is in use/);
    second.close();
    const client = peer();
    await client.connect();
    path.close();
    assert.equal(await client.next(), undefined);
    second.open();
    second.close();
  });
});
