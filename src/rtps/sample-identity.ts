import { type ParameterList, ParameterListWriter, Pid } from './parameter-list';

/** Names one sample of one writer, or with an entity alone what belongs to it (DDS-RPC 1.0 section 7.5.1.1.1). */
export interface SampleIdentity {
  /** 32 hexadecimal digits. */
  readonly guid: string;
  /** `undefined`: SEQUENCENUMBER_UNKNOWN. */
  readonly sequence: number | undefined;
}

const UNKNOWN_HIGH = 0xffffffff;

/** Inline QoS that says to which sample another one, the reply to it, say, is related. */
export function encodeRelatedSample({ guid, sequence }: SampleIdentity): Buffer {
  const value = Buffer.alloc(24);
  value.write(guid, 'hex');
  value.writeUInt32LE(sequence === undefined ? UNKNOWN_HIGH : Math.floor(sequence / 2 ** 32), 16);
  value.writeUInt32LE(sequence === undefined ? 0 : sequence % 2 ** 32, 20);
  // Fast DDS before 2.10 knows only its own parameter, and newer ones take that from nobody else.
  return new ParameterListWriter()
    .bytes(Pid.relatedSampleIdentity, value)
    .bytes(Pid.fastRelatedSampleIdentity, value)
    .toInlineQos();
}

/** The sample to which that with this inline QoS is related. @throws MalformedError */
export function relatedSampleIn(inlineQos: ParameterList): SampleIdentity | undefined {
  for (const pid of [Pid.relatedSampleIdentity, Pid.fastRelatedSampleIdentity]) {
    const guid = inlineQos.bytes(pid, 24)?.toString('hex', 0, 16);
    if (guid === undefined) continue;
    const high = inlineQos.uint32(pid, 4) as number;
    const low = inlineQos.uint32(pid, 5) as number;
    const sequence = high * 2 ** 32 + low;
    return { guid, sequence: Number.isSafeInteger(sequence) && sequence > 0 ? sequence : undefined };
  }
  return undefined;
}
