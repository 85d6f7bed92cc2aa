import type { Socket } from 'node:net';
import { BridgeRun, type BridgeRunOptions, MQTT_VERSION } from './bridge-run';
import type { BridgeSample } from './bridge-samples';
import { Answers, closeAll, eachPacket, encodeMessage, openClient, subscribe } from './broker-client';
import type { RunningBroker } from './broker-contestants';
import { ClosedLoop, type LoopResult } from './closed-loop';
import { countMessages } from './packet-count';
import { processorTime } from './process-use';

const PUBACK = 0x40;
const MAX_PACKET_ID = 65_535;

/** As fast as it goes. Costs: of the bridge, of the broker. */
export function saturate(options: BridgeRunOptions, long: boolean): Promise<LoopResult> {
  const { sample, direction, qos = 0 } = options;
  return BridgeRun.use(options, async (run) => {
    if (direction === 'ros-to-mqtt') {
      const subscriber = await run.subscriber();
      const talker = run.talker();
      const [{ bridge, broker }] = await Promise.all([run.ready(), talker.told('ready')]);
      const loop = new ClosedLoop(sample.window, (count) => talker.write(count));
      take(subscriber, qos, (count) => loop.came(count));
      return loop.run([bridge, broker], long);
    }
    const publisher = await run.publisher();
    const listener = run.listener();
    const [{ bridge, broker }] = await Promise.all([run.ready(), listener.told('ready')]);
    const publish = publishing(publisher, run.mqttTopic, run.payload, qos);
    const loop = new ClosedLoop(sample.window, publish);
    listener.onHeard((count) => loop.came(count));
    return loop.run([bridge, broker], long);
  });
}

/** The same without a bridge. Cost: of the broker. */
export async function saturateFloor(
  broker: RunningBroker,
  { json, window }: BridgeSample,
  qos: 0 | 1,
  long: boolean,
): Promise<LoopResult> {
  const [publisher, subscriber] = await Promise.all([
    openClient(broker.port, MQTT_VERSION),
    openClient(broker.port, MQTT_VERSION),
  ]);
  try {
    publisher.resume();
    await subscribe(subscriber, ['floor'], qos, MQTT_VERSION);
    const loop = new ClosedLoop(window, publishing(publisher, 'floor', json, qos));
    take(subscriber, qos, (count) => loop.came(count));
    return await loop.run([() => processorTime(broker.process.pid as number)], long);
  } finally {
    await closeAll([publisher, subscriber]);
  }
}

/** Publishes so many at once, whenever it is called; at QoS 1 each has a packet identifier. */
export function publishing(
  publisher: Socket,
  topic: string,
  payload: Buffer,
  qos: 0 | 1,
): (count: number) => void {
  const message = encodeMessage(topic, payload, qos, 1, MQTT_VERSION);
  const identifierAt = message.length - payload.length - 2;
  let sent = 0;
  return (count) => {
    const packets = Array.from({ length: count }, () => {
      if (qos === 0) return message;
      const packet = Buffer.from(message);
      packet.writeUInt16BE(1 + (sent++ % MAX_PACKET_ID), identifierAt);
      return packet;
    });
    publisher.write(Buffer.concat(packets));
  };
}

/** Counts what a subscriber gets, which at QoS 1 is acknowledged. */
export function take(subscriber: Socket, qos: 0 | 1, came: (count: number) => void): void {
  if (qos === 0) {
    countMessages(subscriber, came);
    return;
  }
  const answers = new Answers(subscriber);
  eachPacket(subscriber, (_header, bytes, body) => {
    const identifierAt = body + 2 + bytes.readUInt16BE(body);
    answers.add(PUBACK, bytes[identifierAt] as number, bytes[identifierAt + 1] as number);
    came(1);
  });
}
