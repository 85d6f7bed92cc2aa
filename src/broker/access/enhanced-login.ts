import type { Properties } from '../codec/properties';
import type { ScramLogin } from './access-control';
import type { Identity } from './identity';

/** The login of a client that chose an authentication method (MQTT 5.0 section 4.12). */
export interface EnhancedLogin {
  readonly method: string;
  /** While the client is to answer. */
  exchange: ScramLogin | undefined;
  /**
   * The client has proved who it is; the properties are for the packet that says so.
   * @throws ProtocolError it may not connect, or is somebody else than before
   */
  accepted(identity: Identity, properties: Properties): void;
}
