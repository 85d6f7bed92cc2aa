// The embedded broker in a process of its own, so that its processor time can be told from the load's.
import { BrokerThread } from '../../src/broker/broker-thread';

const broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
broker.start().then(
  () => console.log(broker.status.listeners[0]?.port),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
process.stdin.on('end', () => void broker.stop());
process.stdin.resume();
