#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
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
import { listeningAdvice } from './listening-advice';
import { LogOutput } from './log-output';
import { readSettings, shownSettings } from './settings';
import { SettingsError } from './settings-error';
import type { SettingName } from './settings-table';

const STOPPING = ['SIGINT', 'SIGTERM'] as const;
/** For how long the same signal is still the same, ms: npx passes on what a terminal has sent to all. */
const SAME_SIGNAL = 500;

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
  let stopping: { signal: NodeJS.Signals; since: number } | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping === undefined) {
      stopping = { signal, since: performance.now() };
      void end(running, signal, log);
    } else if (signal !== stopping.signal || performance.now() - stopping.since > SAME_SIGNAL) {
      process.off(signal, onSignal);
      endBy(signal);
    }
  };
  for (const signal of STOPPING) process.on(signal, onSignal);
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

/** As the signal ends any program. */
function endBy(signal: NodeJS.Signals): void {
  process.kill(process.pid, signal);
  // The first process of a container is not ended by it.
  process.exit(128 + constants.signals[signal]);
}

function logOutput(path: string): LogOutput {
  try {
    return new LogOutput(path === '' ? undefined : path, complain);
  } catch (error) {
    throw new SettingsError(`the log file cannot be opened: ${(error as Error).message}`);
  }
}

async function main(): Promise<void> {
  // Who reads what is printed may have gone, which is no reason to end.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => {});
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

const isOfListening = (error: Error) => error instanceof ListenerError || error instanceof GatewayServerError;

function exitCodeOf(error: Error): number {
  if (isOfListening(error)) return ExitCode.listening;
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
  complain(isOfListening(error) ? `${error.message}; ${listeningAdvice(error.message)}` : error.message);
  process.exitCode = exitCodeOf(error);
});
