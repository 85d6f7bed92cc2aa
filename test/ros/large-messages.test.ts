import assert from 'node:assert/strict';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { PayloadFormat } from '../../src/ros/payload-format';
import { Inbox } from '../client/observed';
import { BEST_EFFORT, RELIABLE, route, STRING } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const COUNT = 20;
/** More than goes in one datagram, and than is copied behind the head of an MQTT packet. */
const LENGTH = 200_000;

/** Their memory is used for the next ones as soon as nobody needs it any more. */
describe('messages in many fragments', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const texts = Array.from({ length: COUNT }, (_, index) => String.fromCharCode(97 + index).repeat(LENGTH));

  async function check(
    format: PayloadFormat,
    qos: { mqtt: 0 | 1; retain: boolean },
    change: Partial<BridgeSettings> = {},
  ): Promise<void> {
    const { domain } = bridges;
    const direction = change.bothWaysOverMqtt311 ? 'both' : 'ros-to-mqtt';
    const bridge = await bridges.open({
      mqtt: bridges.mqtt(),
      routes: [route(domain, { format, qos, direction })],
      ...change,
    });
    const inbox = await Inbox.on(bridges.client, `ros/${domain}/chatter`);
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter', STRING, { ...RELIABLE, depth: COUNT });
    await bridge.ready({ publishers: 1 });
    for (const data of texts) publish({ data });
    await inbox.until(({ messages }) => messages.length === COUNT);
    await bridge.until(() => bridge.messages.length === COUNT);
    const content = (payload: unknown) => /([a-z])\1{1000,}/.exec(String(payload))?.[0];
    assert.deepEqual(
      inbox.messages.map(({ payload }) => content(payload) ?? payload.length),
      texts,
    );
    const inFlow = bridge.messages.map(({ payload }) =>
      content(Buffer.isBuffer(payload) ? payload : JSON.stringify(payload)),
    );
    assert.deepEqual(inFlow, texts);
    await bridge.until(() => bridge.route()?.counts?.mqttPublished === COUNT);
    const bytes = inbox.messages.reduce((sum, { payload }) => sum + payload.length, 0);
    assert.equal(bridge.route()?.counts?.mqttPublishedBytes, bytes);
    if (direction === 'both') await bridge.until(() => bridge.route()?.counts?.dropped.echo === COUNT);
    assert.equal(bridge.route()?.counts?.rosPublished, 0);
  }

  for (const format of ['json', 'cdr', 'text'] as const)
    for (const mqtt of [0, 1] as const)
      it(`come whole to MQTT and to the flow as ${format}, QoS ${mqtt}`, () =>
        check(format, { mqtt, retain: false }));

  it('come whole where the broker stores them', () => check('cdr', { mqtt: 0, retain: true }));

  for (const mqtt of [0, 1] as const)
    it(`are known when they come back over MQTT 3.1.1, QoS ${mqtt}`, () =>
      check(
        'cdr',
        { mqtt, retain: false },
        {
          mqtt: bridges.mqtt({ protocolVersion: 4 }),
          bothWaysOverMqtt311: true,
        },
      ));

  for (const format of ['json', 'cdr', 'text'] as const)
    it(`come whole to ROS as ${format}, to those who acknowledge them and those who do not`, async () => {
      const { domain } = bridges;
      const bridge = await bridges.open({ mqtt: bridges.mqtt(), routes: [route(domain, { format })] });
      const listeners = [await bridges.peer(), await bridges.peer()];
      for (const [index, listener] of listeners.entries())
        await listener.listen('/chatter', STRING, [{ ...RELIABLE, depth: COUNT }, BEST_EFFORT][index]);
      await bridge.ready({ subscriptions: 2 });
      const codec = MessageCodec.for(InterfaceLibrary.bundled(), STRING);
      const payloads = {
        json: (data: string) => JSON.stringify({ data }),
        cdr: (data: string) => codec.encode({ data }),
        text: (data: string) => data,
      };
      for (const [index, data] of texts.entries()) {
        await bridges.say(`ros/${domain}/chatter`, payloads[format](data));
        for (const listener of listeners) await listener.until(() => listener.heard.length === index + 1);
      }
      for (const { heard } of listeners)
        assert.deepEqual(
          heard.map((text) => JSON.parse(text).data),
          texts,
        );
      const bytes = codec.encode({ data: texts[0] }).length * COUNT;
      await bridge.until(() => bridge.route()?.counts?.rosPublishedBytes === bytes);
    });
});
