import type { Payload } from '../rclnodejs/process-messages';
import type { RosPublisher, RosQos } from './ros-backend';

/** As much as is kept of one transient-local publisher for a process that takes the place of another, in bytes. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
/** Less is no CDR, and kills the library. */
const MIN_CDR_BYTES = 4;

/** The way into the child process from a domain's endpoints. */
export interface NodeLink {
  /** The largest message, in bytes. */
  readonly maxBytes: number;
  /** Throws an Error that says why while there is no process, or it does not keep up. */
  send(payload: Omit<Payload, 'node'>): void;
}

/** Refuses what may not be handed to the library: throws an Error that names the size. */
export function checkCdr(cdr: Buffer, { maxBytes }: NodeLink): void {
  if (cdr.length >= MIN_CDR_BYTES && cdr.length <= maxBytes) return;
  throw new Error(`expected CDR of ${MIN_CDR_BYTES} to ${maxBytes} bytes, got ${cdr.length}`);
}

/** A publisher in the child process. */
export class RclnodejsPublisher implements Pick<RosPublisher, 'publish'> {
  readonly #endpoint: number;
  readonly #qos: RosQos;
  readonly #link: NodeLink;
  /** What late subscriptions are to be sent, if it is transient-local. */
  #kept: Array<{ cdr: Buffer; via: readonly string[] }> = [];

  constructor(endpoint: number, qos: RosQos, link: NodeLink) {
    this.#endpoint = endpoint;
    this.#qos = qos;
    this.#link = link;
  }

  publish(cdr: Buffer, via: readonly string[]): void {
    checkCdr(cdr, this.#link);
    this.#link.send({ kind: 'sample', endpoint: this.#endpoint, number: 0, notes: { via }, cdr });
    if (this.#qos.durability === 'transient-local') this.#keep(cdr, via);
  }

  /** In a new process, to those who come late there. */
  publishKept(): void {
    for (const { cdr, via } of this.#kept) {
      this.#link.send({ kind: 'sample', endpoint: this.#endpoint, number: 0, notes: { via }, cdr });
    }
  }

  #keep(cdr: Buffer, via: readonly string[]): void {
    this.#kept.push({ cdr, via });
    let bytes = this.#kept.reduce((sum, sample) => sum + sample.cdr.length, 0);
    while (this.#kept.length > this.#qos.depth || bytes > MAX_KEPT_BYTES) {
      bytes -= this.#kept.shift()?.cdr.length ?? bytes;
    }
  }
}
