import type { NodeStatus } from 'node-red';
import type { BrokerThreadStatus } from '../src/broker/broker-thread';
import type { ListenerAddress } from '../src/broker/listeners/listener-settings';
import type { BrokerStatistics } from '../src/broker/statistics';
import type { NodeText } from './node-text';

const LOOKS = {
  starting: { fill: 'yellow', shape: 'ring' },
  running: { fill: 'green', shape: 'dot' },
  restarting: { fill: 'yellow', shape: 'ring' },
  stopped: { fill: 'grey', shape: 'ring' },
  error: { fill: 'red', shape: 'ring' },
} as const;

const TROUBLED = { fill: 'yellow', shape: 'dot' } as const;

/** Characters of addresses beside the figures; further addresses are counted. */
const ADDRESS_CHARACTERS = 32;

/** The line below the node: where the broker can be reached, how busy it is, and what is wrong. */
export class BrokerStatus {
  readonly #show: (status: NodeStatus) => void;
  readonly #text: NodeText;
  readonly #paths: readonly string[];
  readonly #number: Intl.NumberFormat;
  readonly #notes = new Map<string, { text: string; wrong: boolean }>();
  #thread: BrokerThreadStatus = { state: 'stopped', listeners: [] };
  #clients = 0;
  #rate = 0;
  #shown: { text: string; look: NodeStatus } = { text: '', look: {} };

  /**
   * @param paths of WebSocket listeners on Node-RED's own port
   * @param language in which numbers are written
   */
  constructor(
    show: (status: NodeStatus) => void,
    text: NodeText,
    paths: readonly string[],
    language: string | undefined,
  ) {
    this.#show = show;
    this.#text = text;
    this.#paths = paths;
    this.#number = numberFormat(language);
  }

  thread(status: BrokerThreadStatus): void {
    this.#thread = status;
    if (status.state !== 'running') {
      this.#clients = 0;
      this.#rate = 0;
      this.#notes.clear();
    }
    this.#update();
  }

  /** To be called once a second at most. */
  statistics({ clients, receivedPerSecond }: BrokerStatistics): void {
    this.#clients = clients;
    this.#rate = receivedPerSecond;
    this.#update();
  }

  /**
   * What else there is to say until the broker stops or fails, and whether it is a trouble; nothing any more with no
   * text and no trouble.
   */
  note(subject: string, text: string, wrong: boolean): void {
    if (text === '' && !wrong) this.#notes.delete(subject);
    else this.#notes.set(subject, { text, wrong });
    this.#update();
  }

  #update(): void {
    const { state, reason } = this.#thread;
    const text =
      state === 'running' ? this.#figures() : this.#text(`status.${state}`, { reason: reason ?? '' });
    const wrong = state === 'running' && [...this.#notes.values()].some((note) => note.wrong);
    const look = wrong ? TROUBLED : LOOKS[state];
    if (text === this.#shown.text && look === this.#shown.look) return;
    this.#shown = { text, look };
    this.#show({ ...look, text });
  }

  #figures(): string {
    const clients = this.#clients;
    return [
      this.#address(),
      this.#text(clients === 1 ? 'status.client' : 'status.clients', {
        clients: clients < 10_000 ? clients : this.#short(clients),
      }),
      ...(this.#rate > 0 ? [this.#text('status.rate', { rate: this.#short(this.#rate) })] : []),
      ...[...this.#notes.values()].flatMap(({ text }) => (text === '' ? [] : [text])),
    ].join(' · ');
  }

  #address(): string {
    const all = [...this.#thread.listeners.map(addressText), ...this.#paths];
    const line = all.join(', ');
    if (line === '') return this.#text('status.inProcess');
    return line.length <= ADDRESS_CHARACTERS || all.length === 1
      ? line
      : this.#text('status.more', { address: all[0] as string, count: all.length - 1 });
  }

  /** As 970, 3.4k or 1.2M. */
  #short(value: number): string {
    if (value < 1000) return this.#number.format(Math.round(value));
    const [key, unit] = value < 999_500 ? (['thousand', 1e3] as const) : (['million', 1e6] as const);
    return this.#text(`status.${key}`, { number: this.#number.format(value / unit) });
  }
}

function numberFormat(language: string | undefined): Intl.NumberFormat {
  const digits = { maximumSignificantDigits: 2 };
  try {
    return new Intl.NumberFormat(language, digits);
  } catch {
    // What Node-RED takes for a language need not be one that JavaScript knows.
    return new Intl.NumberFormat('en-US', digits);
  }
}

function addressText({ kind, host, port }: ListenerAddress): string {
  return `${kind === 'tcp' ? '' : `${kind}://`}${host}:${port}`;
}
