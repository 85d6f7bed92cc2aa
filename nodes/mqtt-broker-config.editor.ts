import type { EditorNode } from './editor/editor-api';
import { embeddedBrokerLabel, revalidateUsersOfEmbeddedBrokers } from './editor/embedded-brokers';
import { createTabs } from './editor/form-page';
import { type AdvancedFields, advancedFields, advancedPage } from './editor/mqtt-broker-config/advanced';
import {
  type ConnectionFields,
  connectionFields,
  connectionPage,
} from './editor/mqtt-broker-config/connection';
import { prepareImport } from './editor/mqtt-broker-config/import';
import { type MessagesFields, messagesFields, messagesPage } from './editor/mqtt-broker-config/messages';
import { type SecurityPageFields, securityFields, securityPage } from './editor/mqtt-broker-config/security';

type Fields = { name: string } & ConnectionFields & SecurityPageFields & MessagesFields & AdvancedFields;

const PAGES = [connectionPage, securityPage, messagesPage, advancedPage];

RED.nodes.registerType<Fields>('mqtt-broker-config', {
  category: 'config',
  // The public library reads only keys that stand here.
  defaults: {
    name: { value: '' },

    target: connectionFields.target,
    url: connectionFields.url,
    alternatives: connectionFields.alternatives,
    embedded: connectionFields.embedded,
    autoConnect: connectionFields.autoConnect,
    protocolVersion: connectionFields.protocolVersion,
    clientId: connectionFields.clientId,
    keepAlive: connectionFields.keepAlive,
    cleanStart: connectionFields.cleanStart,
    sessionExpiry: connectionFields.sessionExpiry,
    autoUnsubscribe: connectionFields.autoUnsubscribe,
    userProperties: connectionFields.userProperties,

    passwordSource: securityFields.passwordSource,
    passwordEnvironment: securityFields.passwordEnvironment,
    passwordFile: securityFields.passwordFile,
    tls: securityFields.tls,
    tlsCaFile: securityFields.tlsCaFile,
    tlsCertFile: securityFields.tlsCertFile,
    tlsKeyFile: securityFields.tlsKeyFile,
    tlsPfxFile: securityFields.tlsPfxFile,
    proxy: securityFields.proxy,

    birthTopic: messagesFields.birthTopic,
    birthPayload: messagesFields.birthPayload,
    birthQos: messagesFields.birthQos,
    birthRetain: messagesFields.birthRetain,
    birthProperties: messagesFields.birthProperties,
    closeTopic: messagesFields.closeTopic,
    closePayload: messagesFields.closePayload,
    closeQos: messagesFields.closeQos,
    closeRetain: messagesFields.closeRetain,
    closeProperties: messagesFields.closeProperties,
    willTopic: messagesFields.willTopic,
    willPayload: messagesFields.willPayload,
    willQos: messagesFields.willQos,
    willRetain: messagesFields.willRetain,
    willProperties: messagesFields.willProperties,
    willDelay: messagesFields.willDelay,

    queue: advancedFields.queue,
    queueMessages: advancedFields.queueMessages,
    queueBytes: advancedFields.queueBytes,
    queueOverflow: advancedFields.queueOverflow,
    queueExpiry: advancedFields.queueExpiry,
    queueQos0: advancedFields.queueQos0,
    maxInFlight: advancedFields.maxInFlight,
    receiveMaximum: advancedFields.receiveMaximum,
    maximumPacketSize: advancedFields.maximumPacketSize,
    topicAliasMaximum: advancedFields.topicAliasMaximum,
    topicAliases: advancedFields.topicAliases,
    reconnectFirst: advancedFields.reconnectFirst,
    reconnectLongest: advancedFields.reconnectLongest,
    connectTimeout: advancedFields.connectTimeout,
  },
  credentials: {
    username: { type: 'text' },
    password: { type: 'password' },
    tlsPassphrase: { type: 'password' },
    proxyUsername: { type: 'text' },
    proxyPassword: { type: 'password' },
    webSocketHeaders: { type: 'text' },
  },
  label() {
    if (this.name) return this.name;
    const broker = this.target === 'embedded' ? RED.nodes.node(this.embedded) : null;
    if (broker) return embeddedBrokerLabel(broker);
    return this.target === 'embedded' ? this._('mqtt-broker-config.target.embedded') : this.url;
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    for (const page of PAGES) page.prepare(this);
    prepareImport(this);
    createTabs(
      $('.mqttros-broker-tabs'),
      $('.mqttros-broker-pages').children(),
      'mqttros-broker-',
      (page) => this._(`mqtt-broker-config.tab.${page}`),
      () => {
        for (const page of PAGES) page.refresh?.();
      },
    );
  },
  oneditsave() {
    for (const page of PAGES) page.save?.(this);
  },
});

revalidateUsersOfEmbeddedBrokers(
  (config, broker) => (config as EditorNode & Partial<Fields>).embedded === broker.id,
);
