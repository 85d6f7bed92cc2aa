import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '../../src/client/connection';
import { lasting } from './account';
import { Mosquitto } from './mosquitto';
import { CONNECT, PUBLISH, packet, type RawPacket, ScriptedBroker, SUBSCRIBE, text } from './scripted-broker';

const [PUBREC, PUBREL, PUBCOMP] = [5, 6, 7];
const ID = Buffer.from([0, 9]);
const DUP = 8;
const publish = (payload: string, flags = 0): Buffer =>
  packet(PUBLISH, 4 | flags, text('account/2'), ID, 0, Buffer.from(payload));

describe('a receiver of QoS 2 that is killed, with its packet identifiers on disk', function () {
  this.timeout(60_000);
  let folder: string;
  let broker: ScriptedBroker | undefined;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'receiver-'));
    writeFileSync(join(folder, 'log'), '');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    await broker?.stop();
    broker = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (url: string, how: 'arrival' | 'acknowledged', ...death: string[]) => {
    const program = require.resolve('./receiver-process');
    const args = [program, url, join(folder, 'queue'), join(folder, 'log'), how, ...death];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    return { child, ended: once(child, 'exit') };
  };
  const flow = (): string[] => readFileSync(join(folder, 'log'), 'utf8').split('\n').slice(0, -1);
  /** A broker that does as it is told in each connection, once SUBSCRIBE or a resumed session has come. */
  const scripted = async (script: (received: RawPacket, socket: Socket, connections: number) => void) => {
    let connections = 0;
    broker = await ScriptedBroker.start((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, connections++ > 0 ? 1 : 0, 0, 0));
      if (received.type === SUBSCRIBE) socket.write(packet(9, 0, received.body.subarray(0, 2), 0, 2));
      script(received, socket, connections);
    });
    return broker;
  };
  /** Sends a message in the first connection, and in the second what is left of the exchange. */
  const interrupted = async (how: 'arrival' | 'acknowledged', where: string) => {
    const { url } = await scripted(({ type }, socket, connections) => {
      if (type === SUBSCRIBE && connections === 1) socket.write(publish('a'));
      if (type === SUBSCRIBE && connections === 2) socket.write(publish('a', DUP));
      if (type === PUBREC) socket.write(packet(PUBREL, 2, ID));
      // The packet identifier is free again.
      if (type === PUBCOMP) socket.write(publish('b'));
    });
    await start(url, how, where, 'a').ended;
    start(url, how, 'flow', 'b');
    await once(children[1] as ChildProcess, 'exit');
    return { flow: flow(), pubrecs: broker?.of(PUBREC).length };
  };

  it('gets a message again that its flow has not seen', async () => {
    assert.deepEqual(await interrupted('arrival', 'handed'), { flow: ['a', 'b'], pubrecs: 1 });
  });

  it('does not get a message again that its flow has seen, before PUBREC went out', async () => {
    assert.deepEqual(await interrupted('arrival', 'flow'), { flow: ['a', 'b'], pubrecs: 1 });
  });

  it('gets a message again that its flow has not acknowledged', async () => {
    assert.deepEqual(await interrupted('acknowledged', 'flow'), { flow: ['a', 'a', 'b'], pubrecs: 1 });
  });

  it('does not get a message again that its flow has acknowledged, before PUBREC went out', async () => {
    assert.deepEqual(await interrupted('acknowledged', 'acknowledged'), { flow: ['a', 'b'], pubrecs: 1 });
  });

  it('goes on after PUBREC: neither PUBLISH again nor PUBREL brings the message again', async () => {
    const { url } = await scripted(({ type }, socket, connections) => {
      if (type === SUBSCRIBE && connections === 1) socket.write(publish('a'));
      if (type === SUBSCRIBE && connections === 2) {
        socket.write(publish('a', DUP));
        socket.write(packet(PUBREL, 2, ID));
      }
      if (type === PUBCOMP) socket.write(publish('b'));
    });
    const first = start(url, 'arrival');
    await broker?.until((made) => made.of(PUBREC).length === 1);
    first.child.kill('SIGKILL');
    await first.ended;
    await start(url, 'arrival', 'flow', 'b').ended;
    assert.deepEqual(flow(), ['a', 'b']);
  });

  it('takes a packet identifier for another message after PUBCOMP, and one that is not sent again', async () => {
    const { url } = await scripted(({ type }, socket, connections) => {
      if (type === SUBSCRIBE && connections === 1) socket.write(publish('a'));
      if (type === PUBREC && connections === 1) socket.write(packet(PUBREL, 2, ID));
      if (type === SUBSCRIBE && connections === 2) socket.write(publish('b', DUP));
      // The next run may be with another broker, which has a session of this client too.
      if (type === SUBSCRIBE && connections === 3) socket.write(publish('c'));
    });
    const first = start(url, 'arrival');
    await broker?.until((made) => made.of(PUBCOMP).length === 1);
    first.child.kill('SIGKILL');
    await first.ended;
    await start(url, 'arrival', 'flow', 'b').ended;
    await start(url, 'arrival', 'flow', 'c').ended;
    assert.deepEqual(flow(), ['a', 'b', 'c']);
  });

  it('has forgotten all when the broker has lost the session', async () => {
    broker = await ScriptedBroker.start(({ type, body }, socket) => {
      if (type === CONNECT) socket.write(packet(2, 0, 0, 0, 0));
      if (type !== SUBSCRIBE) return;
      socket.write(packet(9, 0, body.subarray(0, 2), 0, 2));
      socket.write(publish('a', DUP));
    });
    await start(broker.url, 'arrival', 'flow', 'a').ended;
    await start(broker.url, 'arrival', 'flow', 'a').ended;
    assert.deepEqual(flow(), ['a', 'a']);
  });

  it('gets each message of a real mosquitto once, however often it is killed', async function () {
    const mosquitto = await Mosquitto.start(this, ['max_queued_messages 0']);
    const sender = new Connection(lasting(mosquitto.url, 'sender'));
    try {
      const first = start(mosquitto.url, 'acknowledged', 'acknowledged', '100');
      await once(first.child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
      sender.open();
      const numbers = Array.from({ length: 400 }, (_, n) => String(n));
      await Promise.all(numbers.map((n) => sender.publish('account/2', n, { qos: 2, retain: false })));
      await first.ended;
      for (const last of ['101', '250', '399']) {
        await start(mosquitto.url, 'acknowledged', 'acknowledged', last).ended;
      }
      assert.deepEqual(flow(), numbers);
    } finally {
      await sender.close();
      await mosquitto.stop();
    }
  });
});
