import { pino } from 'pino';
import type { BrokerEvent } from '../broker/broker-event';
import type { LogOutput } from './log-output';
import type { Settings } from './settings-table';

type Level = 'debug' | 'info' | 'warn' | 'error';
type Facts = Readonly<Record<string, unknown>>;

const LEVELS: Readonly<Record<Settings['logLevel'], Level>> = {
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
};

/** How each event of the broker is logged. */
const EVENTS: Readonly<Record<BrokerEvent['type'], readonly [level: Level, message: string]>> = {
  connected: ['info', 'client connected'],
  disconnected: ['info', 'client disconnected'],
  refused: ['warn', 'connection refused'],
  subscribed: ['debug', 'client subscribed'],
  unsubscribed: ['debug', 'client unsubscribed'],
  throttled: ['warn', 'client is read more slowly'],
  memory: ['warn', 'memory is short'],
  dropped: ['warn', 'messages dropped'],
  overrun: ['warn', 'messages not shown'],
  credentials: ['info', 'TLS files read again'],
  storage: ['error', 'store'],
  upstream: ['info', 'upstream broker'],
  omitted: ['warn', 'events omitted'],
};

/** What the command says while it runs: JSON, an object a line, with level, time (ISO 8601), message and facts. */
export class BrokerLog {
  readonly #output: LogOutput;
  readonly #logger: pino.Logger;

  constructor(output: LogOutput, level: Settings['logLevel']) {
    this.#output = output;
    this.#logger = pino(
      {
        level: LEVELS[level],
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      output,
    );
  }

  debug(message: string, facts: Facts = {}): void {
    this.#logger.debug(facts, message);
  }

  info(message: string, facts: Facts = {}): void {
    this.#logger.info(facts, message);
  }

  warn(message: string, facts: Facts = {}): void {
    this.#logger.warn(facts, message);
  }

  error(message: string, facts: Facts = {}): void {
    this.#logger.error(facts, message);
  }

  /** Something has happened to the broker's clients, or to itself. */
  event(event: BrokerEvent): void {
    const { type, ...facts } = event;
    const [level, message] = EVENTS[type];
    this.#logger[isGood(event) ? 'info' : levelOf(event, level)](facts, message);
  }

  /** Goes on in a new file. */
  reopen(): void {
    this.#output.reopen();
  }

  /** Resolves when all is written, or with false when that takes too long. */
  close(): Promise<boolean> {
    return this.#output.close();
  }
}

/** What is over again. */
function isGood(event: BrokerEvent): boolean {
  return (
    (event.type === 'memory' && event.state === 'enough') ||
    (event.type === 'storage' && event.state === 'recovered')
  );
}

function levelOf(event: BrokerEvent, level: Level): Level {
  if (event.type === 'credentials' && event.failure !== undefined) return 'error';
  if (event.type === 'upstream' && event.reason !== undefined) return 'warn';
  return level;
}
