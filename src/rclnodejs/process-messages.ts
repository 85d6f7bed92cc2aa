import { FrameError } from './frame-stream';

/** ROS 2's own words for how far discovery reaches. */
export type Range = 'off' | 'localhost' | 'subnet';

export interface Qos {
  reliability: 'reliable' | 'best-effort';
  durability: 'volatile' | 'transient-local';
  depth: number;
}

/** A node to be made; `node` is the parent's number for it. */
export interface NodeOptions {
  node: number;
  domain: number;
  range: Range;
  /** Addresses, without ports. */
  peers: readonly string[];
  name: string;
  /** The largest message it receives, in bytes, at most 128 MiB. */
  maxBytes: number;
}

/** A publisher, subscription, client or server to be made; `endpoint` is the parent's number for it. */
export interface EndpointOptions {
  node: number;
  endpoint: number;
  kind: 'publisher' | 'subscription' | 'client' | 'server';
  rosName: string;
  type: string;
  /** The type of the action that a client or server is one of the services of. */
  action?: string;
  qos: Qos;
}

/** What the parent asks of the child process. */
export type ProcessRequest =
  /** Is it still there? */
  | { type: 'ping' }
  | ({ type: 'open' } & NodeOptions)
  | { type: 'close'; node: number }
  | { type: 'create'; options: EndpointOptions }
  | { type: 'destroy'; node: number; endpoint: number }
  /** For so many ms samples are to tell when they were published. */
  | { type: 'time'; node: number; duration: number };

/** Of others; spans in milliseconds, no limit where absent. */
export interface FoundQos extends Qos {
  deadline?: number;
  lifespan?: number;
  liveliness: 'automatic' | 'manual-by-topic';
  livelinessLease?: number;
}

/** A publisher or subscription of another process. */
export interface FoundEndpoint {
  guid: string;
  kind: 'publisher' | 'subscription';
  rosName: string;
  type: string;
  typeHash?: string;
  qos: FoundQos;
  /** The name of its node, with the namespace. */
  node: string;
}

/** A server or client of another node; the library gives them no GUIDs, so `guid` is made of node, kind and name. */
export interface FoundService {
  guid: string;
  kind: 'server' | 'client';
  rosName: string;
  type: string;
  /** Empty where its program tells of no node. */
  node: string;
}

/** What changed in the ROS graph since the last time. */
export interface GraphChange {
  foundEndpoints: FoundEndpoint[];
  foundServices: FoundService[];
  /** GUIDs. */
  lost: string[];
  /** All nodes of others there are now; absent when they have not changed. */
  nodes?: string[];
}

/** What the child process reports. */
export type ProcessReport =
  /** The child runs: the setup file has done its work. */
  | { type: 'started' }
  /** The library is loaded. */
  | { type: 'ready' }
  | { type: 'pong' }
  /** It cannot be loaded; the child ends. */
  | { type: 'unavailable'; reason: string }
  | { type: 'opened'; node: number }
  | { type: 'refused'; node: number; reason: string }
  /** An endpoint could not be made. */
  | { type: 'failed'; node: number; endpoint: number; reason: string }
  | { type: 'graph'; node: number; change: GraphChange }
  | { type: 'warning'; node: number; warning: string }
  /** Messages for a subscription never came. */
  | { type: 'lost'; node: number; endpoint: number; count: number }
  /** A call got no reply. */
  | { type: 'unanswered'; node: number; call: number; status: 'unavailable' | 'timeout'; reason: string };

/** What is told of a sample beside it. */
export interface SampleNotes {
  /** The bridges that carried it. */
  via?: readonly string[];
  /** Of its publisher, where the middleware tells it. */
  guid?: string;
  /** Counts its publisher's samples. */
  sequence?: number;
  /** Nanoseconds since the epoch, in decimal. */
  stamp?: string;
  /** The same whenever the sample is sent again. */
  identity?: string;
}

/** CDR that crosses, with what it belongs to. */
export interface Payload {
  kind: 'sample' | 'call' | 'response' | 'request' | 'reply';
  node: number;
  endpoint: number;
  /** Tells calls and requests apart; 0 for a sample. */
  number: number;
  /** A sample's, or a call's timeout in ms. */
  notes?: SampleNotes | number;
  cdr: Buffer;
}

const KINDS: ReadonlyArray<Payload['kind']> = ['sample', 'call', 'response', 'request', 'reply'];
const MESSAGE = 0xff;
const HEADER_BYTES = 15;

/** The frame of a request or report. */
export function messageFrame(message: ProcessRequest | ProcessReport): Buffer[] {
  return [Buffer.of(MESSAGE), Buffer.from(JSON.stringify(message))];
}

/** The frame of a payload. */
export function payloadFrame({ kind, node, endpoint, number, notes, cdr }: Payload): Buffer[] {
  const text = notes === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(notes));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(KINDS.indexOf(kind), 0);
  header.writeUInt32LE(node, 1);
  header.writeUInt32LE(endpoint, 5);
  header.writeUInt32LE(number, 9);
  header.writeUInt16LE(text.length, 13);
  return [header, text, cdr];
}

/** Reads a frame of `messageFrame` or `payloadFrame`. Throws FrameError when it is neither. */
export function readFrame<Message extends ProcessRequest | ProcessReport>(
  frame: Buffer,
): { message: Message } | { payload: Payload } {
  try {
    const byte = frame.readUInt8(0);
    if (byte === MESSAGE) return { message: JSON.parse(frame.toString('utf8', 1)) as Message };
    const kind = KINDS[byte];
    const end = HEADER_BYTES + frame.readUInt16LE(13);
    if (kind === undefined || end > frame.length) throw new RangeError('no known kind, or cut off');
    return {
      payload: {
        kind,
        node: frame.readUInt32LE(1),
        endpoint: frame.readUInt32LE(5),
        number: frame.readUInt32LE(9),
        ...(end > HEADER_BYTES && { notes: JSON.parse(frame.toString('utf8', HEADER_BYTES, end)) }),
        cdr: frame.subarray(end),
      },
    };
  } catch (error) {
    const start = frame.toString('hex', 0, HEADER_BYTES);
    throw new FrameError(`a frame that begins with ${start}: ${(error as Error).message}`);
  }
}
