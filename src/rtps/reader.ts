import type { EndpointQos } from './qos';
import type { NeighbourWriter, Reception } from './reception';
import type { SampleIdentity } from './sample-identity';
import type { StatefulReader } from './stateful-reader';
import type { EndpointOptions } from './writer';

/** One received sample. */
export interface Sample {
  /** CDR with its 4-byte encapsulation header; the receiver's own. */
  readonly payload: Buffer;
  /** Whether nobody else uses the payload's memory either, which the receiver may then free. */
  readonly ownsMemory: boolean;
  /** 32 hexadecimal digits. */
  readonly writerGuid: string;
  readonly sequence: number;
  /** Nanoseconds since the epoch by the writer's clock, where it says. */
  readonly sourceTimestamp: bigint | undefined;
  /** What its writer says that it is related to, the request that it answers, say. */
  readonly related: SampleIdentity | undefined;
  /** What a writer of this implementation added (see `encodeAnnotation`). */
  readonly annotation: Buffer | undefined;
}

/** A reader of a topic, made by `Participant.createReader`. */
export class Reader {
  readonly kind = 'reader';
  readonly guid: string;
  readonly topic: string;
  readonly type: string;
  readonly qos: EndpointQos;
  readonly userData: Buffer | undefined;
  readonly #protocol: StatefulReader;
  readonly #reception: Reception;
  readonly #close: (reader: Reader) => void;

  constructor(
    guid: string,
    options: EndpointOptions,
    protocol: StatefulReader,
    reception: Reception,
    close: (reader: Reader) => void,
  ) {
    this.guid = guid;
    this.topic = options.topic;
    this.type = options.type;
    this.qos = options.qos;
    this.userData = options.userData;
    this.#protocol = protocol;
    this.#reception = reception;
    this.#close = close;
  }

  /** Writers matched at present. */
  get matchedCount(): number {
    return this.#protocol.matchedCount;
  }

  /**
   * Counts a writer of the same participant, whose samples the reader's user has without it: they meet the deadline too,
   * which is awaited until that writer is gone.
   */
  addNeighbour(): NeighbourWriter {
    return this.#reception.addNeighbour();
  }

  /** Withdraws the reader: no sample is delivered afterwards. */
  close(): void {
    this.#close(this);
  }
}
