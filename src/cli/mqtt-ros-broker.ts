#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AccessSettingsError } from '../broker/access/access-settings';
import { ListenerError } from '../broker/listeners/listener-settings';
import { UpstreamSettingsError } from '../broker/upstream/upstream-settings';
import { GatewayServerError } from '../gateway/gateway-server';
import { BridgeSettingsError } from '../ros/bridge-settings';
import { BrokerLog } from './broker-log';
import { BrokerProcess } from './broker-process';
import { brokerSettings } from './broker-settings';
import { helpText, readCommandLine } from './command-line';
import { ExitCode } from './exit-code';
import { LogOutput } from './log-output';
import { readSettings, shownSettings } from './settings';
import { SettingsError } from './settings-error';
import type { SettingName } from './settings-table';

const STOPPING = ['SIGINT', 'SIGTERM'] as const;

/** Runs the broker until a signal stops it; a second one ends the process at once. */
async function run(options: ReadonlyMap<SettingName, string>): Promise<void> {
  const configuration = readSettings({ options, environment: process.env, directory: process.cwd() });
  const { settings } = configuration;
  const broker = await brokerSettings(configuration);
  const log = new BrokerLog(logOutput(settings.logFile), settings.logLevel);
  log.debug('settings', shownSettings(settings));
  if (!settings.enableAuth && settings.username + settings.password !== '') {
    log.warn('user name and password are of no use: authentication is not enabled');
  }
  const running = new BrokerProcess(configuration, broker, packageVersion(), log);
  const stop = (signal: NodeJS.Signals) => {
    // Without these the next signal does what it does to any program.
    for (const stopping of STOPPING) process.off(stopping, stop);
    void end(running, signal, log);
  };
  for (const signal of STOPPING) process.on(signal, stop);
  process.on('SIGHUP', () => void running.reload());
  try {
    await running.start();
  } catch (error) {
    if (settings.logFile !== '') log.error('not started', { reason: (error as Error).message });
    await log.close();
    throw error;
  }
}

async function end(running: BrokerProcess, signal: NodeJS.Signals, log: BrokerLog): Promise<void> {
  await running.stop(signal);
  // A write to a pipe that nobody reads would keep the process.
  if (!(await log.close())) process.exit();
}

function logOutput(path: string): LogOutput {
  try {
    return new LogOutput(path === '' ? undefined : path, complain);
  } catch (error) {
    throw new SettingsError(`the log file cannot be opened: ${(error as Error).message}`);
  }
}

async function main(): Promise<void> {
  const command = readCommandLine(process.argv.slice(2));
  if (command.action === 'help') process.stdout.write(helpText());
  else if (command.action === 'version') process.stdout.write(`${packageVersion()}\n`);
  else await run(command.options);
}

function packageVersion(): string {
  const text = readFileSync(join(__dirname, '../../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function complain(text: string): void {
  process.stderr.write(`mqtt-ros-broker: ${text}\n`);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ListenerError || error instanceof GatewayServerError) return ExitCode.listening;
  const ofSettings = [
    SettingsError,
    AccessSettingsError,
    UpstreamSettingsError,
    BridgeSettingsError,
    RangeError,
  ];
  return ofSettings.some((type) => error instanceof type) ? ExitCode.settings : ExitCode.failed;
}

main().catch((error: Error) => {
  complain(error.message);
  process.exitCode = exitCodeOf(error);
});
