import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ClientOptions, WebSocket } from 'ws';
import type { ListenerSettings } from '../../src/broker/listeners/listener-settings';
import type { Peer } from '../../src/broker/peer';
import { Listening } from './listening';

describe('a WebSocket listener', function () {
  this.timeout(60_000);
  let listening: Listening;
  let sockets: WebSocket[];

  const start = async (settings: Partial<ListenerSettings> = {}) => {
    listening = await Listening.open({ kind: 'ws', ...settings }, { packetSize: 10_000 });
  };
  beforeEach(() => {
    sockets = [];
  });
  afterEach(() => {
    for (const socket of sockets) socket.terminate();
    listening.close();
  });

  function open(protocols: string[] = ['mqtt'], options: ClientOptions = {}): WebSocket {
    const socket = new WebSocket(`ws://127.0.0.1:${listening.port}/any/path`, protocols, options);
    socket.on('error', () => {});
    sockets.push(socket);
    return socket;
  }
  /** A client that is connected, and the listener's end of it. */
  async function pair(): Promise<{ socket: WebSocket; stream: Duplex; peer: Peer }> {
    const served = listening.served();
    const socket = open();
    await once(socket, 'open');
    return { socket, ...(await served) };
  }
  /** The HTTP status with which a request is refused. */
  async function refusedWith(protocols?: string[], options?: ClientOptions): Promise<number | undefined> {
    const [, response] = await once(open(protocols, options), 'unexpected-response');
    return (response as IncomingMessage).statusCode;
  }

  it('carries bytes both ways in binary frames [MQTT-6.0.0-2]', async () => {
    await start();
    const { socket, stream, peer } = await pair();
    assert.equal(peer.host, '127.0.0.1');
    assert.deepEqual(listening.admitted, [peer]);
    socket.send('no matter how', { binary: true, fin: false });
    socket.send(' it is cut', { binary: true });
    assert.equal(String((await once(stream, 'data'))[0]), 'no matter how it is cut');
    stream.cork();
    stream.write('one, ');
    stream.write('two');
    stream.uncork();
    const [data, binary] = await once(socket, 'message');
    assert.equal(String(data), 'one, two');
    assert.equal(binary, true);
  });

  it('answers pings one at a time, so that answers that nobody reads do not gather', async () => {
    await start();
    const { socket, stream } = await pair();
    stream.resume();
    const answers: string[] = [];
    const last = new Promise<void>((resolve) => {
      socket.on('pong', (data) => {
        answers.push(String(data));
        if (answers.at(-1) === '1000') resolve();
      });
    });
    for (let number = 1; number <= 1000; number++) socket.ping(String(number));
    await last;
    assert.ok(answers.length < 500, `${answers.length} answers`);
  });

  it('says how much of a message has come, without what is no part of it', async () => {
    await start();
    const { socket, stream } = await pair();
    const gathered: number[] = [];
    stream.on('gathered', (bytes: number) => gathered.push(bytes));
    const whole = once(stream, 'data');
    for (let count = 0; count < 100; count++) {
      socket.ping('x'.repeat(100));
      socket.pong('x'.repeat(100));
    }
    socket.send(Buffer.alloc(5000), { binary: true, fin: false });
    while ((gathered.at(-1) ?? 0) < 5000) await once(stream, 'gathered');
    assert.ok((gathered.at(-1) as number) < 5100, `${gathered}`);
    socket.send(Buffer.alloc(1), { binary: true });
    assert.equal((await whole)[0].length, 5001);
    if (gathered.at(-1) !== 0) await once(stream, 'gathered');
    assert.equal(gathered.at(-1), 0);
  });

  it('does not read on while nobody takes what came', async () => {
    await start();
    const { socket, stream } = await pair();
    stream.write('an answer');
    const size = 9000;
    const count = 2000; // More than the network's buffers hold.
    for (let index = 0; index < count; index++) socket.send(Buffer.alloc(size));
    await once(stream, 'readable');
    // A paused WebSocket still hands out what it had read from the network.
    assert.ok(stream.readableLength <= 128 * 1024, `${stream.readableLength} bytes are held`);
    let received = 0;
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    while (received < size * count) await once(stream, 'data');
    assert.equal(received, size * count);
  });

  for (const protocol of ['mqtt', 'mqttv3.1']) {
    it(`chooses the sub-protocol ${protocol} from several [MQTT-6.0.0-4]`, async () => {
      await start();
      const socket = open(['chat', protocol]);
      await once(socket, 'open');
      assert.equal(socket.protocol, protocol);
    });
  }

  it('refuses another sub-protocol, or none', async () => {
    await start();
    const refusal = listening.refusal();
    assert.equal(await refusedWith(['chat']), 400);
    assert.match(await refusal, /sub-protocol "mqtt" was not asked for/);
    assert.equal(await refusedWith([]), 400);
  });

  it('refuses a text frame with code 1003 [MQTT-6.0.0-1]', async () => {
    await start();
    const { socket, stream } = await pair();
    const failed = once(stream, 'error');
    socket.send('text');
    assert.equal((await once(socket, 'close'))[0], 1003);
    assert.match((await failed)[0].message, /text frame/);
  });

  it('refuses a message beyond the limit with code 1009', async () => {
    await start();
    const { socket } = await pair();
    socket.send(Buffer.alloc(10_001));
    assert.equal((await once(socket, 'close'))[0], 1009);
  });

  it('takes no more than a CONNECT before it has answered', async () => {
    listening = await Listening.open({ kind: 'ws' }, { packetSize: 100_000_000 });
    const { socket, stream } = await pair();
    const failed = once(stream, 'error');
    // One frame that never gets whole.
    socket.send(Buffer.alloc(700_000), { binary: true, fin: false });
    assert.equal((await once(socket, 'close'))[0], 1009);
    assert.match((await failed)[0].message, /before a whole CONNECT/);
  });

  it('says goodbye with a close frame', async () => {
    await start();
    const { socket, stream } = await pair();
    stream.resume().end('last words');
    const message = once(socket, 'message');
    const closed = once(stream, 'close');
    assert.equal((await once(socket, 'close'))[0], 1000);
    assert.equal(String((await message)[0]), 'last words');
    await closed;
  });

  it('ends when the client closes or vanishes', async () => {
    await start();
    for (const leave of ['close', 'terminate'] as const) {
      const { socket, stream } = await pair();
      stream.resume();
      const closed = once(stream, 'close');
      socket[leave]();
      await closed;
    }
  });

  it('answers other HTTP requests with 426', async () => {
    await start();
    const refusal = listening.refusal();
    const asked = request({ port: listening.port, host: '127.0.0.1' }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 426);
    assert.match(await refusal, /none for a WebSocket/);
  });

  describe('asked by web pages', () => {
    const page = (origin: string, host?: string): ClientOptions => ({
      origin,
      ...(host !== undefined && { headers: { Host: host } }),
    });

    it('lets those of its own host in', async () => {
      await start();
      await once(open(['mqtt'], page('http://127.0.0.1:8080')), 'open');
      await once(open(['mqtt'], page('https://localhost', 'localhost:9001')), 'open');
    });

    it('refuses those of others, and of sandboxes', async () => {
      await start();
      const refusal = listening.refusal();
      assert.equal(await refusedWith(['mqtt'], page('https://site.example')), 403);
      assert.match(await refusal, /web pages of https:\/\/site\.example may not connect/);
      assert.equal(await refusedWith(['mqtt'], page('null')), 403);
      assert.equal(await refusedWith(['mqtt'], page('http://localhost')), 403);
    });

    it('refuses a name that was bent to this machine', async () => {
      await start();
      assert.equal(await refusedWith(['mqtt'], page('http://site.example', 'site.example')), 403);
    });

    it('lets those in that are chosen', async () => {
      await start({ origins: ['https://site.example'] });
      await once(open(['mqtt'], page('https://site.example')), 'open');
      assert.equal(await refusedWith(['mqtt'], page('https://site.example:444')), 403);
      listening.close();
      await start({ origins: ['*'] });
      await once(open(['mqtt'], page('https://any.example')), 'open');
    });
  });
});
