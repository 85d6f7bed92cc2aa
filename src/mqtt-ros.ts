/**
 * The library behind the nodes, for programs without Node-RED: MQTT connections, the embedded broker, the ROS bridge,
 * message codecs and the RTPS participant.
 */
export { type AccessAction, type AccessRule, accessRuleFault } from './broker/access/access-rules';
export {
  type AccessSettings,
  AccessSettingsError,
  type TokenSettings,
  type UserSettings,
} from './broker/access/access-settings';
export type { Decision, DecisionRequest } from './broker/access/decisions';
export { hashPassword, scramVerifier } from './broker/access/password-hash';
export type {
  ClientEntry,
  DisconnectAnswer,
  PublishedTopic,
  SessionEntry,
} from './broker/administration-calls';
export type { BrokerEvent } from './broker/broker-event';
export { type BrokerSettings, BrokerThread, type BrokerThreadStatus } from './broker/broker-thread';
export type { Capabilities } from './broker/capabilities';
export type { Limits, QueuePolicy } from './broker/limits';
export {
  type ListenerAddress,
  ListenerError,
  type ListenerKind,
  type ListenerSettings,
  type TlsSettings,
} from './broker/listeners/listener-settings';
export {
  createBroker,
  type MqttBroker,
  type MqttBrokerSettings,
  type MqttBrokerStatistics,
  type TopicInformation,
  type Wanted,
} from './broker/mqtt-broker';
export type { Page } from './broker/page';
export type { RemoteAdministration } from './broker/remote-administration';
export type { BrokerStatistics, UpstreamStatistics } from './broker/statistics';
export type { StorageSettings } from './broker/thread-message';
export type { UpstreamRoute } from './broker/upstream/upstream-route';
export { type UpstreamSettings, UpstreamSettingsError } from './broker/upstream/upstream-settings';
export {
  type Acknowledgement,
  type Announcement,
  Connection,
  type ConnectionSettings,
  type ConnectionState,
  type ConnectionStatistics,
  type ConnectionStatus,
  type Endpoint,
  type MessageProperties,
  type PasswordSource,
  type ProxySettings,
  type PublishOptions,
  type PublishReceipt,
  type QoS,
  type QueueSettings,
  type ReceivedMessage,
  type SubscribeOptions,
  type Subscription,
  type SubscriptionListener,
  type TlsFiles,
  type Will,
} from './client/connection';
export { ConnectionPool } from './client/connection-pool';
export { NotConnectedError, PublishError, SubscribeError } from './client/errors';
export {
  type MessageObject,
  MessageObjectError,
  type MessagePropertiesObject,
  messageFromObject,
  messageToObject,
  type OutgoingMessage,
  type PayloadEncoding,
} from './client/message-object';
export { PortStream } from './client/port-stream';
export type { BridgeEvent } from './ros/bridge-events';
export { BridgeHandle, type BridgeState } from './ros/bridge-handle';
export type { BridgeMessage } from './ros/bridge-message';
export {
  type ActionRouteSettings,
  type BackendChoice,
  type BridgeMqttSettings,
  type BridgeSettings,
  BridgeSettingsError,
  type Direction,
  type NamespaceRow,
  type ParametersRouteSettings,
  type RouteKind,
  type RouteRow,
  type RouteSettings,
  type ServiceRouteSettings,
  type TopicOptions,
  type TopicRouteSettings,
} from './ros/bridge-settings';
export { type BridgeBroker, type BridgeOptions, createBridge } from './ros/create-bridge';
export { DefinitionError } from './ros/definition-error';
export { describedTypes } from './ros/described-types';
export type { GraphDescription } from './ros/graph-description';
export { InterfaceLibrary } from './ros/interface-library';
export { parseInterface, parseInterfaces } from './ros/interface-text';
export { CdrError, MessageCodec, PayloadError, UnknownTypeError } from './ros/message-codec';
export type { MessageConstant, MessageDefinition, MessageField } from './ros/message-definition';
export type { PatternSettings } from './ros/name-patterns';
export { ddsTopicName, ddsTypeName, rosNameOf, rosTypeOf } from './ros/names';
export type { DiscoveryRange } from './ros/ros-backend';
export { RosThread } from './ros/ros-thread';
export type { BridgeStatus, FlowFacts, RouteRowName, RouteStatus } from './ros/ros-worker-messages';
export { describeType, type TypeDescription, typeHash } from './ros/type-description';
export type { TypeTableRow } from './ros/type-table';
export { Participant, type ParticipantOptions, type RemoteParticipant } from './rtps/participant';
export { ParticipantOptionError } from './rtps/participant-option-error';
export type { EndpointQos } from './rtps/qos';
export type { Reader, Sample } from './rtps/reader';
export type { RemoteEndpoint } from './rtps/remote-endpoint';
export { type EndpointOptions, PayloadTooLargeError, type Writer } from './rtps/writer';
export { parseRosTopic, type RosTopicParts } from './topic/parse-ros-topic';
export {
  type RosTopic,
  type RosTopicKind,
  RosTopicMapping,
  type RosTopicMappingOptions,
} from './topic/ros-topic';
export { SubscriptionTrie } from './topic/subscription-trie';
export { type ParsedFilter, parseFilter, topicFilterFault } from './topic/topic-filter';
export { topicNameFault } from './topic/topic-name';
