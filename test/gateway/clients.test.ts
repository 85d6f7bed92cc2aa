import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { BrokerThread } from '../../src/broker/broker-thread';
import { type CounterpartName, counterpart } from '../counterparts';
import { GatewayFixture } from './gateway-fixture';

const execute = promisify(execFile);
const TOKEN = 'a-token-of-the-test';

/** The commands that the README gives. */
function shownCommands(): string {
  const section = readFileSync('README.md', 'utf8').split('\n## Gateway API\n')[1] ?? '';
  return /```sh\n(.*?)```/s.exec(section)?.[1] ?? '';
}

describe('clients of the gateway', function () {
  this.timeout(60_000);
  let broker: BrokerThread;
  let fixture: GatewayFixture;
  let port: number;

  beforeEach(async () => {
    broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
    await broker.start();
    port = broker.status.listeners[0]?.port as number;
  });
  afterEach(async () => {
    await fixture.stop();
    await broker.stop();
  });
  const begin = async (token?: string) => {
    const known = { id: 'broker', name: 'broker', broker };
    fixture = await GatewayFixture.start({
      sources: { embeddedBrokers: () => [known] },
      ...(token !== undefined && { guard: { token } }),
    });
  };

  for (const [language, program, script] of [
    ['Python', 'python3', 'clients/gateway_client.py'],
    ['TypeScript', undefined, 'dist/clients/gateway-client.js'],
  ] as const) {
    it(`in ${language} add a broker, listen, publish and read the history`, async function () {
      const command =
        program === undefined ? process.execPath : counterpart(this, program as CounterpartName);
      await begin(TOKEN);
      const url = `http://127.0.0.1:${fixture.port}`;
      const { stdout } = await execute(command, [script, url, '127.0.0.1', String(port)], {
        env: { ...process.env, GATEWAY_TOKEN: TOKEN },
      });
      assert.deepEqual(
        stdout
          .trim()
          .split('\n')
          .map((line) => line.trim()),
        [
          'gateway: ok',
          'broker: connected',
          'subscription: subscribed',
          'live: example/room {"temperature": 21.5}',
          'history: example/room {"temperature": 21.5}',
        ].map((line) => (language === 'Python' ? line : line.replace('": ', '":'))),
      );
      const { body } = await fixture.api.get('/brokers');
      assert.equal(body.brokers.length, 1);
    });
  }

  it('are also the lines that the README gives for curl', async function () {
    counterpart(this, 'curl');
    await begin();
    const commands = shownCommands().replaceAll(':8441', `:${fixture.port}`).replaceAll('1883', String(port));
    const { stdout } = await execute('bash', ['-euo', 'pipefail', '-c', commands]);
    const [subscription, published, messages, added, ...brokers] = stdout
      .replaceAll('}{', '}\n{')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual([subscription.state, published.reason_code], ['subscribed', 0]);
    assert.deepEqual(messages.messages[0].payload, { battery: 87 });
    assert.equal(added.name, 'another');
    assert.deepEqual(
      brokers[0].brokers.map(({ name }: { name: string }) => name),
      ['another', 'broker'],
    );
  });
});
