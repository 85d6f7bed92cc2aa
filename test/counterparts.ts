import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join, resolve } from 'node:path';

/** The real programs that tests talk to; `npm run test:setup` installs them. */
export type CounterpartName =
  | 'curl'
  | 'mosquitto'
  | 'mosquitto_pub'
  | 'mosquitto_sub'
  | 'dds-peer'
  | 'dds-gauge'
  | 'dds-bridge'
  | 'dds-service'
  | 'dds-action'
  | 'dds-parameters'
  | 'fast-dds-peer'
  | 'fast-dds-service'
  | 'fast-dds-action'
  | 'fast-dds-parameters'
  | 'fast-dds-raw'
  | 'chromium'
  | 'openssl'
  | 'curl'
  | 'python3'
  | 'paho'
  | 'prometheus-client'
  | 'aedes'
  | 'node-red-5'
  | 'node-24';

const installed = (path: string) => resolve('.counterparts', path);
const places: Partial<Record<CounterpartName, string>> = {
  'dds-peer': installed('dds/peer'),
  'dds-gauge': installed('dds/gauge'),
  'dds-bridge': installed('dds/bridge'),
  'dds-service': installed('dds/service-peer'),
  'dds-action': installed('dds/action-peer'),
  'dds-parameters': installed('dds/parameter-peer'),
  'fast-dds-peer': installed('fast-dds/peer'),
  'fast-dds-service': installed('fast-dds/service-peer'),
  'fast-dds-action': installed('fast-dds/action-peer'),
  'fast-dds-parameters': installed('fast-dds/parameter-peer'),
  'fast-dds-raw': installed('fast-dds/raw-peer'),
  // Of the Debian package python3-paho-mqtt, for Debian's own Python.
  paho: '/usr/lib/python3/dist-packages/paho/mqtt/client.py',
  // Of python3-prometheus-client.
  'prometheus-client': '/usr/lib/python3/dist-packages/prometheus_client/parser.py',
  aedes: installed('aedes/node_modules/aedes/aedes.js'),
  'node-red-5': installed('node-red-5/node_modules/node-red/red.js'),
  'node-24': installed(`node-red-5/node_modules/node-linux-${process.arch}/bin/node`),
};

/** Where the counterpart is, or `undefined` when it is not installed. */
export function findCounterpart(name: CounterpartName): string | undefined {
  const place = places[name];
  if (place !== undefined) return existsSync(place) ? place : undefined;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/**
 * The path of a counterpart. Where it is missing the test is skipped and counted as such; with `CI=true`, where the
 * set-up step must have installed it, the test fails.
 */
export function counterpart(test: Mocha.Context, name: CounterpartName): string {
  const path = findCounterpart(name);
  if (path !== undefined) return path;
  if (process.env.CI === 'true') throw new Error(`${name} is missing: did "npm run test:setup" run?`);
  return test.skip();
}

/** Below those that the system gives to whoever asks for any, from which a test beside this one could get it. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

const given = new Set<number>();

/** A TCP port of 127.0.0.1 that is free now, and that this process was not given before. */
export async function freePort(): Promise<number> {
  const port = randomInt(FIRST_PORT, LAST_PORT);
  if (given.has(port)) return freePort();
  given.add(port);
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return port;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return freePort();
  } finally {
    server.close();
  }
}
