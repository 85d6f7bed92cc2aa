import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { mock } from 'node:test';
import { Connection } from '../../src/client/connection';
import { connected, settingsFor } from './observed';
import { CONNECT, PUBLISH, packet, ScriptedBroker, text } from './scripted-broker';

/** A network between client and broker that can stand still on the way to the broker. */
class StandingStream extends Duplex {
  readonly sent: Buffer[] = [];
  #stands = false;
  #go: (() => void) | undefined;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#go = () => {
      this.sent.push(chunk);
      done();
    };
    if (!this.#stands) this.#go();
  }

  override _final(done: () => void): void {
    this.push(null);
    done();
  }

  stand(): void {
    this.#stands = true;
  }

  go(): void {
    this.#stands = false;
    this.#go?.();
  }
}

describe('the farewell of a connection', () => {
  it('goes out whatever comes meanwhile, also a packet that is too large', async () => {
    const stream = new StandingStream();
    const connection = new Connection({
      ...settingsFor('', 4, { maximumPacketSize: 1000 }),
      endpoint: { openStream: () => stream },
    });
    connection.open();
    stream.push(Buffer.from([0x20, 2, 0, 0]));
    await connected(connection);
    stream.stand();
    connection.post({
      topic: 'a',
      payload: Buffer.from('x'),
      retain: false,
      properties: {},
      userProperties: {},
    });
    const closed = connection.close();
    // DISCONNECT is behind the message.
    while (stream.writableLength < 8) await new Promise(setImmediate);
    stream.push(Buffer.from([0x30, 0x80, 0x84, 0xaf, 0x5f]));
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    stream.go();
    await closed;
    assert.deepEqual(Buffer.concat(stream.sent).subarray(-2), Buffer.from([0xe0, 0]));
  });

  it('does not break off what the broker sends while nothing is read', async () => {
    // More than the network takes that nobody reads.
    const messages = Buffer.alloc(8 * 1024 * 1024, packet(PUBLISH, 0, text('a'), 0, Buffer.alloc(100, 1)));
    let taken: (error?: Error | null) => void;
    const outcome = new Promise<Error | null | undefined>((resolve) => {
      taken = resolve;
    });
    const broker = await ScriptedBroker.start(({ type }, socket) => {
      if (type !== CONNECT) return;
      socket.write(packet(2, 0, 0, 0, 0));
      socket.write(messages, taken);
    });
    const connection = new Connection(settingsFor(broker.url));
    connection.onStatus(({ state }) => {
      if (state === 'connected') connection.pause();
    });
    connection.open();
    await connected(connection);
    // However long that takes here.
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      await connection.close();
    } finally {
      mock.timers.reset();
    }
    assert.equal((await outcome) ?? undefined, undefined);
    await broker.stop();
  });
});
