import type { Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';

/** What a camera of 1 MB at 5 Hz sends in three seconds: for so long nothing may read it. */
const WANTED_BYTES = 16 * 1024 * 1024;
/** Below this, which the operating system reports doubled, a burst of a megabyte is lost. */
const SUFFICIENT_BYTES = 2 * 1024 * 1024;
const ADVICE = `on Linux raise it with "sudo sysctl -w net.core.rmem_max=${WANTED_BYTES}"`;

/** Columns of Linux's table of UDP sockets: the address with its port, hexadecimal, and what was dropped. */
const ADDRESS_COLUMN = 1;
const DROPS_COLUMN = 12;

/** What the system keeps for a bound socket until it is read; more is dropped. */
export class ReceiveBuffer {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** As the system reports it: Linux twice what was asked for, half of which is for its own accounts. */
  get bytes(): number {
    return this.#socket.getRecvBufferSize();
  }

  /** Asks for as much as is of use: Linux gives what its limit allows of it, others all or nothing. */
  enlarge(): void {
    for (let wanted = WANTED_BYTES; wanted > this.bytes; wanted /= 2) {
      try {
        this.#socket.setRecvBufferSize(wanted);
        return;
      } catch {
        // Refused where the system's limit is lower.
      }
    }
  }

  /** Why it is too small, in words. */
  get fault(): string | undefined {
    const { bytes } = this;
    if (bytes >= SUFFICIENT_BYTES) return undefined;
    return `the receive buffer is only ${bytes} bytes, bursts of large messages will be lost: ${ADVICE}`;
  }

  /** That it was full and what was lost by that, in words; only Linux tells. */
  get overrun(): string | undefined {
    const drops = dropsAt(this.#socket.address().port);
    if (drops === 0) return undefined;
    const { bytes } = this;
    const more = bytes < 2 * WANTED_BYTES ? `; ${ADVICE}` : '';
    return `${drops} datagrams were lost because the receive buffer of ${bytes} bytes was full before it was read${more}`;
  }
}

/** How many datagrams the system dropped that came to that port, at a socket that could not take them. */
function dropsAt(port: number): number {
  let table: string;
  try {
    table = readFileSync('/proc/net/udp', 'latin1');
  } catch {
    return 0;
  }
  const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  let drops = 0;
  for (const line of table.split('\n')) {
    const columns = line.trim().split(/ +/);
    if (columns[ADDRESS_COLUMN]?.endsWith(ending)) drops += Number(columns[DROPS_COLUMN]);
  }
  return drops;
}
