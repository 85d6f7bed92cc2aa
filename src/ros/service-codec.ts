import type { InterfaceLibrary } from './interface-library';
import { MessageCodec } from './message-codec';
import type { RosServiceOptions } from './ros-backend';
import { ServiceError, type ServiceFailure } from './ros-service';
import type { DropReason } from './route-counts';

/** How long an answer may take, in ms, where its route does not say. */
export const DEFAULT_TIMEOUT = 5000;

/** How a call without an answer is counted. */
export const DROP_REASON: Record<ServiceFailure, DropReason> = {
  unavailable: 'unavailable',
  timeout: 'timeout',
  'bad-request': 'invalid',
  error: 'invalid',
};

/** Converts the requests and responses of one service between CDR and JSON. Throws ServiceError for what is not of its type. */
export class ServiceCodec {
  readonly service: RosServiceOptions;
  readonly #request: MessageCodec;
  readonly #response: MessageCodec;

  /** Throws `UnknownTypeError` where the library has no definition of the type. */
  constructor(library: InterfaceLibrary, rosName: string, type: string) {
    this.#request = MessageCodec.for(library, `${type}_Request`);
    this.#response = MessageCodec.for(library, `${type}_Response`);
    const [requestHash, responseHash] = [this.#request.typeHash, this.#response.typeHash];
    this.service = { rosName, type, requestHash, responseHash };
  }

  /** Takes JSON as text or bytes, or an already parsed value. */
  encodeRequest(payload: unknown): Buffer {
    return this.#checked('bad-request', () => encode(this.#request, payload));
  }

  /** The JSON text. */
  decodeRequest(cdr: Buffer): string {
    return this.#checked('bad-request', () => this.#request.decodeToJson(cdr));
  }

  /** Takes JSON as text or bytes, or an already parsed value. */
  encodeResponse(payload: unknown): Buffer {
    return this.#checked('error', () => encode(this.#response, payload));
  }

  /** The JSON text. */
  decodeResponse(cdr: Buffer): string {
    return this.#checked('error', () => this.#response.decodeToJson(cdr));
  }

  #checked<T>(status: 'bad-request' | 'error', convert: () => T): T {
    try {
      return convert();
    } catch (error) {
      const part = status === 'error' ? 'response' : 'request';
      throw new ServiceError(this.service.rosName, status, `${part} ${(error as Error).message}`);
    }
  }
}

function encode(codec: MessageCodec, payload: unknown): Buffer {
  const isText = typeof payload === 'string' || Buffer.isBuffer(payload);
  // Many have no fields, and their senders nothing to say.
  if (payload === undefined || (isText && payload.length === 0)) return codec.encode({});
  return isText ? codec.encodeFromJson(payload) : codec.encode(payload);
}
