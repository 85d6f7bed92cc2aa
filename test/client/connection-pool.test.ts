import assert from 'node:assert/strict';
import { ConnectionPool } from '../../src/client/connection-pool';
import { Mosquitto } from './mosquitto';
import { connected, settingsFor, statusOf } from './observed';

describe('connection pool', function () {
  this.timeout(60_000);
  let broker: Mosquitto;

  beforeEach(async function () {
    broker = await Mosquitto.start(this);
  });
  afterEach(() => broker?.stop());

  it('gives users of one key one connection, opened by the first and closed after the last', async () => {
    const pool = new ConnectionPool();
    const settings = settingsFor(broker.url);
    const first = pool.acquire('a', settings);
    assert.equal(pool.acquire('a', settings), first);
    const other = pool.acquire('b', settingsFor(broker.url, 5, { clientId: 'the-other' }));
    assert.notEqual(other, first);
    await connected(first);
    await connected(other);
    await pool.release('a', first);
    assert.equal(first.status.state, 'connected');
    await pool.release('a', first);
    assert.equal(first.status.state, 'disconnected');
    await pool.release('b', other);
  });

  it('keeps a connection for a user that comes back within the linger time', async () => {
    const pool = new ConnectionPool(50);
    const settings = settingsFor(broker.url);
    const connection = pool.acquire('a', settings);
    await connected(connection);
    await pool.release('a', connection);
    assert.equal(pool.acquire('a', settings), connection);
    // Longer than it would have been kept.
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(connection.status.state, 'connected');
    await pool.close('a');
    assert.equal(connection.status.state, 'disconnected');
  });

  it('closes a connection that nobody has come back to', async () => {
    const pool = new ConnectionPool(1);
    const connection = pool.acquire('a', settingsFor(broker.url));
    await connected(connection);
    await pool.release('a', connection);
    await statusOf(connection, ({ state }) => state === 'disconnected');
  });

  it('opens the successor of a connection under its client id only when that is closed', async () => {
    const pool = new ConnectionPool();
    const settings = settingsFor(broker.url, 5, { clientId: 'one' });
    const first = pool.acquire('a', settings);
    await connected(first);
    void pool.close('a');
    const second = pool.acquire('a', settings);
    assert.notEqual(second, first);
    await connected(second);
    assert.equal(first.status.state, 'disconnected');
    // A user of the first that lets go late does not take the second away.
    await pool.release('a', first);
    assert.equal(second.status.state, 'connected');
    await pool.release('a', second);
    await broker.logged(/Client one disconnected\.$/);
    assert.ok(!broker.log.some((line) => line.includes('already connected')));
  });
});
