import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import WebSocket, { WebSocketServer } from 'ws';
import { FanOut, type FanOutJob } from '../../src/gateway/fan-out';
import { LiveReader } from '../../src/gateway/live-reader';

describe('passing messages on to readers', () => {
  it('leaves most of the time to others, and gives each job its turns', async () => {
    const fanOut = new FanOut();
    const turns: string[] = [];
    let work = 0;
    let part = 1;
    const job = (name: string): FanOutJob => ({
      run: (until) => {
        const now = performance.now();
        // Of whole turns, each with the rest after it.
        if (turns.length === 20) part = work / (now - begun);
        while (performance.now() < until);
        work += performance.now() - now;
        turns.push(name);
        return false;
      },
    });
    const begun = performance.now();
    fanOut.add(job('a'));
    fanOut.add(job('b'));
    while (turns.length <= 20) await new Promise(setImmediate);
    fanOut.close();
    assert.ok(part < 0.15, `${part} of the time`);
    assert.equal(turns.slice(0, 20).join(''), 'ab'.repeat(10));
  });

  it('runs a job soon, and once for each time that it is added', async () => {
    const fanOut = new FanOut();
    let runs = 0;
    const ran = new Promise<void>((resolve) => {
      fanOut.add({
        run: () => {
          runs++;
          resolve();
          return true;
        },
      });
    });
    await ran;
    await new Promise(setImmediate);
    assert.equal(runs, 1);
  });

  it('ends a reader that gives no sign of life', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const sockets = new WebSocketServer({ noServer: true });
    const counts = { held: 0, sent: 0, missed: 0, cutOff: 0 };
    const bounds = { readerBytes: 1, readerMissed: 1, totalBytes: 1 };
    const readers: LiveReader[] = [];
    server.on('upgrade', (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (webSocket) =>
        readers.push(new LiveReader(webSocket, socket, bounds, counts, () => {})),
      ),
    );
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const [silent, alive] = [new WebSocket(url, { autoPong: false }), new WebSocket(url)];
    await Promise.all([once(silent, 'open'), once(alive, 'open')]);
    const gone = once(silent, 'close');
    for (const reader of readers) reader.ping();
    await Promise.all([once(alive, 'ping'), once(silent, 'ping')]);
    // Its answer comes before the answer to this.
    alive.ping();
    await once(alive, 'pong');
    for (const reader of readers) reader.ping();
    await Promise.all([gone, once(alive, 'ping')]);
    assert.equal(counts.cutOff, 1);
    alive.terminate();
    server.close();
  });
});
