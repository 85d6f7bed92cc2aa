import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { MqttPeer } from '../broker/mqtt-peer';
import { CommandSuite } from './broker-command';

describe('the process of mqtt-ros-broker', function () {
  this.timeout(60_000);
  const suite = new CommandSuite();

  it('goes on in a new log file at SIGHUP, and without a log where there is no room for it', async () => {
    const log = join(suite.directory, 'broker.log');
    const broker = suite.begin({ options: ['--log-file', log] });
    const content = async (path: string, text: string) => {
      while (!(existsSync(path) && readFileSync(path, 'utf8').includes(text))) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await content(log, 'ws://');
    renameSync(log, `${log}.1`);
    broker.signal('SIGHUP');
    await content(log, 'opened again');
    assert.equal(await broker.stop(), 0);
    assert.deepEqual([broker.lines, broker.complaints], [[], '']);
    if (process.platform !== 'linux') return;
    const without = suite.begin({ options: ['--log-file', '/dev/full'] });
    await without.complained(/lines of the log are lost: ENOSPC/);
    assert.equal(await without.stop(), 0);
  });

  it('ends with code 0 at SIGINT and SIGTERM: clients are told, and what was to be kept is', async () => {
    const options = ['--store', join(suite.directory, 'store'), '--durability', 'strict'];
    const present = [];
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const started = await suite.start({ options });
      const { port, lines } = started;
      const client = new MqttPeer(connect(port, '127.0.0.1'), 5);
      const keeping = { clientId: 'told', cleanStart: false, properties: { sessionExpiryInterval: 600 } };
      present.push((await client.connect(keeping)).sessionPresent);
      if (signal === 'SIGTERM') {
        await client.subscribe('kept', { qos: 1 });
        assert.equal(String((await client.expect('publish')).payload), 'outlives');
      } else {
        client.publish('kept', 'outlives', { qos: 1, retain: true });
        await client.expect('puback');
      }
      const ended = started.stop(signal);
      assert.equal((await client.expect('disconnect')).reasonCode, ReasonCode.serverShuttingDown);
      client.stream.end();
      assert.equal(await ended, 0);
      assert.deepEqual(
        lines.slice(-2).map(({ msg }) => msg),
        ['client disconnected', 'stopped'],
      );
    }
    assert.deepEqual(present, [false, true]);
  });

  it('goes on when nobody reads what it prints any more', async () => {
    const started = await suite.start({ options: ['--log-level', 'DEBUG'] });
    const { port } = started;
    started.stopReading();
    for (let count = 0; count < 3; count++) {
      const client = new MqttPeer(connect(port, '127.0.0.1'), 5);
      await client.connect();
      await client.vanish();
    }
    assert.equal(await started.stop(), 0);
  });

  it('takes a signal that comes twice at once, from a terminal and from npx, for one', async () => {
    const started = await suite.start();
    started.signal('SIGINT');
    assert.equal(await started.stop('SIGINT'), 0);
  });

  it('ends at once at a second signal', async () => {
    const started = await suite.start();
    // Whose end the broker awaits, for a bounded time.
    const socket = connect({ port: started.port, host: '127.0.0.1', allowHalfOpen: true });
    const client = new MqttPeer(socket, 5);
    await client.connect();
    started.signal('SIGTERM');
    await started.logged('stopping');
    assert.equal(await started.stop('SIGINT'), null);
    socket.destroy();
  });
});
