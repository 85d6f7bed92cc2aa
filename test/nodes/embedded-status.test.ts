import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { NodeStatus } from 'node-red';
import { BrokerStatus } from '../../nodes/embedded-status';
import { newStatistics } from '../../src/broker/statistics';

describe('the status of embedded-broker', () => {
  const texts = JSON.parse(readFileSync('nodes/locales/en-US/embedded-broker.json', 'utf8'))[
    'embedded-broker'
  ];
  const text = (key: string, values: Record<string, string | number> = {}) =>
    String(key.split('.').reduce((level, part) => level[part], texts)).replace(/__(\w+)__/g, (_, name) =>
      String(values[name]),
    );
  let shown: NodeStatus[];
  const statusOf = (paths: string[] = [], language: string | undefined = 'en-US') => {
    shown = [];
    return new BrokerStatus((status) => shown.push(status), text, paths, language);
  };
  const last = () => shown.at(-1) as { fill: string; shape: string; text: string };
  const tcp = { kind: 'tcp', host: '127.0.0.1', port: 1883 } as const;
  const figures = (clients: number, receivedPerSecond: number) => ({
    ...newStatistics(),
    clients,
    receivedPerSecond,
  });

  it('says where the broker is and how busy, in few characters', () => {
    const status = statusOf();
    status.thread({ state: 'running', listeners: [tcp] });
    for (const [clients, rate, line] of [
      [0, 0, '0 clients'],
      [1, 1, '1 client · 1 msg/s'],
      [12, 3421, '12 clients · 3.4k msg/s'],
      [9999, 999, '9999 clients · 1,000 msg/s'],
      [12_345, 99_949, '12k clients · 100k msg/s'],
      [2, 999_600, '2 clients · 1M msg/s'],
      [2, 1_250_000, '2 clients · 1.3M msg/s'],
    ] as const) {
      status.statistics(figures(clients, rate));
      assert.equal(last().text, `127.0.0.1:1883 · ${line}`);
    }
    status.statistics(figures(2, 1_250_000));
    assert.equal(shown.length, 7);
  });

  it('writes numbers as the language does, and in English where the language is none', () => {
    for (const [language, number] of [
      ['de', '3,4k'],
      ['no language', '3.4k'],
    ]) {
      const status = statusOf([], language);
      status.thread({ state: 'running', listeners: [] });
      status.statistics(figures(1, 3421));
      assert.equal(last().text, `no port · 1 client · ${number} msg/s`);
    }
  });

  it('counts addresses that would make it long', () => {
    const status = statusOf(['/mqtt']);
    status.thread({ state: 'running', listeners: [tcp] });
    assert.equal(last().text, '127.0.0.1:1883, /mqtt · 0 clients');
    status.thread({ state: 'running', listeners: [tcp, { ...tcp, kind: 'wss', port: 8884 }] });
    assert.equal(last().text, '127.0.0.1:1883 +2 · 0 clients');
  });

  it('says what is wrong as long as it is, and forgets the figures of a broker that has gone', () => {
    const status = statusOf();
    status.thread({ state: 'running', listeners: [tcp] });
    status.statistics(figures(3, 10));
    status.note('storage', 'nothing can be kept: no space', true);
    assert.deepEqual(last(), {
      fill: 'yellow',
      shape: 'dot',
      text: '127.0.0.1:1883 · 3 clients · 10 msg/s · nothing can be kept: no space',
    });
    status.note('storage', '', false);
    assert.equal(last().fill, 'green');
    status.note('upstream', '', true);
    assert.equal(last().fill, 'yellow');
    status.thread({ state: 'restarting', reason: 'out of memory', listeners: [] });
    assert.deepEqual(last(), { fill: 'yellow', shape: 'ring', text: 'restarting: out of memory' });
    status.thread({ state: 'running', listeners: [tcp] });
    assert.deepEqual(last(), { fill: 'green', shape: 'dot', text: '127.0.0.1:1883 · 0 clients' });
  });
});
