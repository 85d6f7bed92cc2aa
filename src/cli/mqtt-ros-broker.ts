#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { type BrokerSettings, BrokerThread } from '../broker/broker-thread';
import { HELP, readCommandLine } from './command-line';

const NAME = 'mqtt-ros-broker';

/** Runs the broker until a signal stops it; a second one ends the process at once. */
async function run(settings: BrokerSettings): Promise<void> {
  const broker = new BrokerThread(settings);
  broker.on('status', ({ state, reason, listeners }) => {
    if (state === 'restarting') complain(`the broker restarts: ${reason}`);
    for (const { host, port } of listeners) {
      process.stdout.write(`${NAME} listens on mqtt://${isIPv6(host) ? `[${host}]` : host}:${port}\n`);
    }
  });
  broker.on('event', (event) => {
    if (event.type === 'storage') complain(`storage ${event.state}: ${event.reason}`);
  });
  let stopping = false;
  const stop = () => {
    stopping = true;
    void broker.stop();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    await broker.start();
  } catch (error) {
    if (!stopping) throw error;
  }
}

async function main(): Promise<void> {
  const command = readCommandLine(process.argv.slice(2));
  if (command === 'help') process.stdout.write(HELP);
  else if (command === 'version') process.stdout.write(`${packageVersion()}\n`);
  else await run(command);
}

function packageVersion(): string {
  const text = readFileSync(join(__dirname, '../../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function complain(text: string): void {
  process.stderr.write(`${NAME}: ${text}\n`);
}

main().catch((error: Error) => {
  complain(error.message);
  process.exitCode = 1;
});
