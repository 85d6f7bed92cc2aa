import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { EndpointQos } from '../../src/rtps/qos';
import { withParticipant } from './rtps-participant';

/** What the reader in this process hears of a talker that is started when it is told where. */
export interface ListenerTask {
  topic: string;
  type: string;
  qos: EndpointQos;
  count: number;
  /** Whether each sample is decoded to JSON, as a String. */
  decode: boolean;
}

export type ListenerReport = { domain: number } | { seconds: number; microseconds: number };

// The bench starts it with `fork`: what Cyclone DDS is measured with are processes of their own, too, and the heap of
// the bench would decide how V8 collects the datagrams.
process.once('message', ({ topic, type, qos, count, decode }: ListenerTask) => {
  const report = (message: ListenerReport) => process.send?.(message);
  void withParticipant(async (participant, domain) => {
    const codec = MessageCodec.for(InterfaceLibrary.bundled(), 'std_msgs/msg/String');
    let received = 0;
    let first = 0;
    let used = process.cpuUsage();
    await new Promise<void>((resolve) => {
      participant.createReader({ topic, type, qos }, ({ payload }) => {
        if (first === 0) {
          first = performance.now();
          used = process.cpuUsage();
        }
        if (decode) codec.decodeToJson(payload);
        if (++received === count) resolve();
      });
      report({ domain });
    });
    const { user, system } = process.cpuUsage(used);
    report({ seconds: (performance.now() - first) / 1000, microseconds: user + system });
  }).then(() => process.disconnect());
});
