// A bridge as one writes it in JavaScript without a thought for time, on our participant, for the bench: objects,
// JSON.stringify and MQTT.js. It gets its task as an argument, tells `ready`, and answers every message with a report.
import { once } from 'node:events';
import { connectAsync } from 'mqtt';
import { ddsTopicName, ddsTypeName } from '../../src/ros/names';
import { Participant } from '../../src/rtps/participant';
import { RELIABLE } from '../rtps/fixture';
import type { BridgeReport, BridgeTask } from './bridge-task';
import { foxgloveObjects } from './foxglove-codec';
import { LoopDelay } from './loop-delay';

async function main(): Promise<void> {
  const { port, flowOutput, route } = JSON.parse(process.argv[2] as string) as BridgeTask;
  const { domain, rosName, type, direction } = route;
  const codec = foxgloveObjects(type);
  if (codec === undefined) throw new Error('@foxglove/rosmsg2-serialization is not installed');
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`);
  const mqttTopic = `ros/${domain}${rosName}`;
  const participant = new Participant({ domain, range: 'localhost', interfaces: ['127.0.0.1'] });
  await participant.start();
  const endpoint = { topic: ddsTopicName(rosName), type: ddsTypeName(type), qos: RELIABLE };
  if (direction === 'ros-to-mqtt') {
    const reader = participant.createReader(endpoint, ({ payload }) => {
      client.publish(mqttTopic, JSON.stringify(codec.decode(payload), numbers));
    });
    while (reader.matchedCount === 0) await once(participant, 'matched');
  } else {
    const writer = participant.createWriter(endpoint);
    client.on('message', (_topic, payload) => {
      const cdr = codec.encode(JSON.parse(payload.toString()));
      writer.write(Buffer.from(cdr.buffer, cdr.byteOffset, cdr.byteLength));
    });
    await client.subscribeAsync(mqttTopic);
    while (writer.matchedCount === 0) await once(writer, 'matched');
  }
  const delay = flowOutput ? new LoopDelay() : undefined;
  process.on('message', () => {
    const report: BridgeReport = { loopDelay: delay?.take() ?? 0 };
    process.send?.(report);
  });
  process.send?.('ready');
}

/** JSON has no typed arrays, and no bytes. */
function numbers(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) ? Array.from(value as Uint8Array) : value;
}

void main();
