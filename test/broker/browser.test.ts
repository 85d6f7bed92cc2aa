import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type * as mqtt from 'mqtt';
import type { Browser, Page } from 'playwright-core';
import { BrokerThread } from '../../src/broker/broker-thread';
import { WebSocketPath } from '../../src/broker/listeners/websocket-path';
import { counterpart } from '../counterparts';
import { launchBrowser } from '../editor/editor-page';

declare const window: { mqtt: typeof mqtt };

describe('MQTT in a web page', function () {
  this.timeout(60_000);
  let browser: Browser;
  let server: Server;
  let broker: BrokerThread;
  let path: WebSocketPath;
  let page: Page;
  let site: string;

  before(async function () {
    browser = await launchBrowser(counterpart(this, 'chromium'));
    const library = readFileSync('node_modules/mqtt/dist/mqtt.min.js');
    server = createServer(({ url }, response) => {
      if (url === '/mqtt.js') response.setHeader('content-type', 'text/javascript').end(library);
      else response.setHeader('content-type', 'text/html').end('<script src="mqtt.js"></script>');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    site = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    broker = new BrokerThread({ listeners: [{ kind: 'ws', host: '127.0.0.1', port: 0 }] });
    path = new WebSocketPath(server, '/mqtt', broker, [], 1_000_000);
    path.open();
    await broker.start();
    page = await browser.newPage();
    await page.goto(`http://${site}/`);
  });
  after(async () => {
    await browser?.close();
    path?.close();
    await broker?.stop();
    server?.closeAllConnections();
    server?.close();
  });

  /** What the page receives of a message that it publishes itself. */
  const echo = (url: string, protocolVersion: 4 | 5) =>
    page.evaluate(
      async ([to, version]) => {
        const client = await window.mqtt.connectAsync(to, { protocolVersion: version, reconnectPeriod: 0 });
        const received = new Promise<mqtt.IPublishPacket>((resolve) => {
          client.on('message', (_topic, _payload, packet) => resolve(packet));
        });
        await client.subscribeAsync('page/#', { qos: 2 });
        const properties = version === 5 ? { properties: { userProperties: { from: 'page' } } } : {};
        await client.publishAsync('page/hello', 'x'.repeat(200_000), { qos: 2, ...properties });
        const { topic, qos, payload, properties: got } = await received;
        await client.endAsync();
        return { topic, qos, length: payload.length, from: got?.userProperties?.from };
      },
      [url, protocolVersion] as const,
    );

  for (const version of [4, 5] as const) {
    const expected = {
      topic: 'page/hello',
      qos: 2,
      length: 200_000,
      from: version === 5 ? 'page' : undefined,
    };

    it(`reaches the broker at a port of its own (protocol level ${version})`, async () => {
      assert.deepEqual(await echo(`ws://127.0.0.1:${broker.status.listeners[0]?.port}`, version), expected);
    });

    it(`reaches the broker at the server that the page is from (protocol level ${version})`, async () => {
      assert.deepEqual(await echo(`ws://${site}/mqtt`, version), expected);
    });
  }

  it('is refused where the page is from elsewhere', async () => {
    const elsewhere = await browser.newPage();
    await elsewhere.goto('data:text/html,<script></script>');
    await elsewhere.addScriptTag({ content: readFileSync('node_modules/mqtt/dist/mqtt.min.js', 'utf8') });
    const refused = elsewhere.evaluate(
      (url) => window.mqtt.connectAsync(url, { reconnectPeriod: 0 }, false).then(() => 'connected'),
      `ws://${site}/mqtt`,
    );
    await assert.rejects(refused, /Couldn't connect to server/);
  });
});
