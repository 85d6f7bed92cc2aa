import { EntityId, entityIdOf, guidOf, isWriter, prefixOf, VENDOR_ID } from './guid';
import type { Locator } from './locator';
import { MalformedError } from './malformed-error';
import { ParameterList, ParameterListWriter, Pid } from './parameter-list';
import { type EndpointQos, type Policies, policiesOf, qosOf } from './qos';
import { decodeQos, encodeQos } from './qos-parameters';
import { PROTOCOL_MAJOR, PROTOCOL_MINOR } from './submessage';

/** What an endpoint announces of itself (DiscoveredWriterData, DiscoveredReaderData, RTPS 8.5.4). */
export interface EndpointData {
  readonly guid: string;
  readonly kind: 'writer' | 'reader';
  readonly topic: string;
  readonly type: string;
  readonly qos: EndpointQos;
  readonly policies: Policies;
  readonly userData: Buffer | undefined;
  /** Its own; where empty, its participant's are used. */
  readonly locators: readonly Locator[];
}

/** What one endpoint may make us keep. */
const MAX_NAME_LENGTH = 1024;
const MAX_USER_DATA_BYTES = 16 * 1024;
const MAX_LOCATORS = 16;

export function encodeEndpointData(
  data: Pick<EndpointData, 'guid' | 'kind' | 'topic' | 'type' | 'qos' | 'userData'>,
): Buffer {
  const list = new ParameterListWriter()
    .guid(Pid.endpointGuid, data.guid)
    .guid(Pid.participantGuid, guidOf(prefixOf(data.guid), EntityId.participant))
    .string(Pid.topicName, data.topic)
    .string(Pid.typeName, data.type)
    .bytes(Pid.protocolVersion, Buffer.from([PROTOCOL_MAJOR, PROTOCOL_MINOR]))
    .bytes(Pid.vendorId, Buffer.from([VENDOR_ID >> 8, VENDOR_ID & 0xff]));
  encodeQos(list, data.kind, policiesOf(data.kind, data.qos), data.qos.depth);
  if (data.userData !== undefined) list.octets(Pid.userData, data.userData);
  return list.toPayload();
}

/** @throws MalformedError */
export function decodeEndpointData(payload: Buffer, kind: EndpointData['kind']): EndpointData {
  const list = ParameterList.fromPayload(payload);
  const guid = list.guid(Pid.endpointGuid);
  const topic = list.string(Pid.topicName);
  const type = list.string(Pid.typeName);
  if (guid === undefined || topic === undefined || type === undefined)
    throw new MalformedError('endpoint data without a GUID, topic name or type name');
  if (isWriter(entityIdOf(guid)) !== (kind === 'writer'))
    throw new MalformedError(`endpoint data of a ${kind} with the GUID ${guid}`);
  if (topic.length > MAX_NAME_LENGTH || type.length > MAX_NAME_LENGTH)
    throw new MalformedError('endpoint data with a topic or type name of more than 1024 characters');
  const userData = list.octets(Pid.userData);
  if (userData !== undefined && userData.length > MAX_USER_DATA_BYTES)
    throw new MalformedError(`endpoint user data of ${userData.length} octets`);
  const { policies, depth } = decodeQos(list, kind);
  return {
    guid,
    kind,
    topic,
    type,
    qos: qosOf(policies, depth),
    policies,
    userData: userData && Buffer.from(userData),
    locators: list.locators(Pid.unicastLocator).slice(0, MAX_LOCATORS),
  };
}
