import { encodeConnack } from './codec/connack-packet';
import { encodeDisconnect } from './codec/disconnect-packet';
import type { ProtocolVersion } from './codec/packet-type';
import type { Properties } from './codec/properties';
import { connectReturnCode, type ReasonCode } from './codec/reason-code';

/** How far a connection has come when it is ended; before CONNECT its peer is told nothing. */
export type Progress = 'before-connect' | 'connecting' | 'connected';

/**
 * What the peer of a connection is told when it is ended: DISCONNECT, for which versions before 5 have no form, or
 * CONNACK of a refusal. Without the reason in words where the peer does not take as many bytes with it
 * [MQTT-3.2.2-19], [MQTT-3.14.2-3]; `undefined` where there is nothing to be told.
 */
export function lastPacket(
  version: ProtocolVersion,
  progress: Progress,
  reasonCode: ReasonCode,
  reason: string,
  maximumBytes: number,
): Buffer | undefined {
  const fits = (packet: Buffer | undefined) => packet !== undefined && packet.length <= maximumBytes;
  return [{ reasonString: reason }, {}]
    .map((properties) => encode(version, progress, reasonCode, properties))
    .find(fits);
}

function encode(
  version: ProtocolVersion,
  progress: Progress,
  reasonCode: ReasonCode,
  properties: Properties,
): Buffer | undefined {
  if (progress === 'before-connect') return undefined;
  if (progress === 'connected')
    return version === 5 ? encodeDisconnect({ type: 'disconnect', reasonCode, properties }, 5) : undefined;
  const code = version === 5 ? reasonCode : connectReturnCode(reasonCode);
  return encodeConnack({ type: 'connack', sessionPresent: false, reasonCode: code, properties }, version);
}
