import { type AccessFields, accessFields, accessPage } from './editor/embedded-broker/access';
import { type LimitsFields, limitsFields, limitsPage } from './editor/embedded-broker/limits';
import { type ListenerFields, listenerFields, listenersPage } from './editor/embedded-broker/listeners';
import { type MessageFields, messageFields, messagesPage } from './editor/embedded-broker/messages';
import { saveOutputs } from './editor/embedded-broker/outputs';
import { type ProtocolFields, protocolFields, protocolPage } from './editor/embedded-broker/protocol';
import { type StorageFields, storageFields, storagePage } from './editor/embedded-broker/storage';
import { type UpstreamFields, upstreamFields, upstreamPage } from './editor/embedded-broker/upstream';
import { createTabs } from './editor/form-page';
import { outputsOf } from './embedded-outputs';

type Fields = { name: string } & ListenerFields &
  AccessFields &
  ProtocolFields &
  LimitsFields &
  StorageFields &
  MessageFields &
  UpstreamFields;

const PAGES = [listenersPage, accessPage, protocolPage, limitsPage, storagePage, messagesPage, upstreamPage];

RED.nodes.registerType<Fields>('embedded-broker', {
  category: 'MQTT ROS',
  color: '#B8A2DA',
  // The public library reads only keys that stand here.
  defaults: {
    name: { value: '' },

    listeners: listenerFields.listeners,
    listen: listenerFields.listen,
    host: listenerFields.host,
    port: listenerFields.port,
    tlsCertificate: listenerFields.tlsCertificate,
    tlsKey: listenerFields.tlsKey,
    tlsCa: listenerFields.tlsCa,
    tlsClientCertificate: listenerFields.tlsClientCertificate,
    tlsMinimumVersion: listenerFields.tlsMinimumVersion,

    anonymous: accessFields.anonymous,
    allowAnonymous: accessFields.allowAnonymous,
    accessUsers: accessFields.accessUsers,
    passwordFile: accessFields.passwordFile,
    tokens: accessFields.tokens,
    tokenPublicKey: accessFields.tokenPublicKey,
    tokenIssuer: accessFields.tokenIssuer,
    tokenAudience: accessFields.tokenAudience,
    decide: accessFields.decide,
    decisionTimeout: accessFields.decisionTimeout,
    accessRules: accessFields.accessRules,
    otherwise: accessFields.otherwise,

    maximumQos: protocolFields.maximumQos,
    retain: protocolFields.retain,
    wildcardSubscriptions: protocolFields.wildcardSubscriptions,
    sharedSubscriptions: protocolFields.sharedSubscriptions,
    subscriptionIdentifiers: protocolFields.subscriptionIdentifiers,
    checkPayloadFormat: protocolFields.checkPayloadFormat,
    serverKeepAlive: protocolFields.serverKeepAlive,
    sysInterval: protocolFields.sysInterval,
    responseInformation: protocolFields.responseInformation,

    limitConnections: limitsFields.limitConnections,
    limitConnectionsPerAddress: limitsFields.limitConnectionsPerAddress,
    limitConnectRate: limitsFields.limitConnectRate,
    limitConnectTimeout: limitsFields.limitConnectTimeout,
    limitMessageRate: limitsFields.limitMessageRate,
    limitByteRate: limitsFields.limitByteRate,
    limitPacketSize: limitsFields.limitPacketSize,
    limitTopicLevels: limitsFields.limitTopicLevels,
    limitTopicLength: limitsFields.limitTopicLength,
    limitSubscriptions: limitsFields.limitSubscriptions,
    limitInFlight: limitsFields.limitInFlight,
    limitQueuedMessages: limitsFields.limitQueuedMessages,
    limitQueuedBytes: limitsFields.limitQueuedBytes,
    queuePolicy: limitsFields.queuePolicy,
    limitRetainedMessages: limitsFields.limitRetainedMessages,
    limitRetainedBytes: limitsFields.limitRetainedBytes,
    limitOfflineSessions: limitsFields.limitOfflineSessions,
    limitSessionExpiry: limitsFields.limitSessionExpiry,
    limitStoredBytes: limitsFields.limitStoredBytes,
    limitMemoryBytes: limitsFields.limitMemoryBytes,

    persistence: storageFields.persistence,
    durability: storageFields.durability,

    watch: messageFields.watch,
    watchOutput: messageFields.watchOutput,
    outputs: messageFields.outputs,

    upstream: upstreamFields.upstream,
    upstreamClientId: upstreamFields.upstreamClientId,
    upstreamRoutes: upstreamFields.upstreamRoutes,
  },
  credentials: {
    tlsPassphrase: { type: 'password' },
    passwords: { type: 'password' },
    tokenSecret: { type: 'password' },
  },
  inputs: 1,
  outputs: 1,
  icon: 'mqtt-broker.svg',
  paletteLabel: 'embedded-broker',
  label() {
    return this.name || this._('embedded-broker.label.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  inputLabels() {
    return this._('embedded-broker.label.actions');
  },
  outputLabels(index) {
    return this._(`embedded-broker.label.${outputsOf(this)[index]}`);
  },
  oneditprepare() {
    for (const page of PAGES) page.prepare(this);
    createTabs(
      $('.mqttros-embedded-tabs'),
      $('.mqttros-embedded-pages').children(),
      'mqttros-embedded-',
      (page) => this._(`embedded-broker.tab.${page}`),
      () => {
        for (const page of PAGES) page.refresh?.();
      },
    );
  },
  oneditsave() {
    for (const page of PAGES) page.save?.(this);
    saveOutputs(this);
  },
});
