// Runs in a network namespace of namespace.test.ts: says on stdout the vendor id of each datagram that reaches one of
// the domain's ports. Ends when stdin does.
import { createSocket } from 'node:dgram';
import {
  metatrafficMulticastPort,
  metatrafficUnicastPort,
  userUnicastPort,
} from '../../src/rtps/port-mapping';

const domain = Number(process.argv[2]);
const address = process.argv[3] ?? '';

const ports = [metatrafficMulticastPort(domain)];
for (let index = 0; index < 4; index++)
  ports.push(metatrafficUnicastPort(domain, index), userUnicastPort(domain, index));
const sockets = ports.map((port) => {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (datagram) =>
    process.stdout.write(`${JSON.stringify({ vendor: datagram.readUInt16BE(6) })}\n`),
  );
  socket.bind(port, '0.0.0.0');
  return socket;
});
sockets[0]?.once('listening', () => {
  sockets[0]?.addMembership('239.255.0.1', address);
  process.stdout.write(`${JSON.stringify({ started: true })}\n`);
});
process.stdin.resume();
process.stdin.once('end', () => {
  for (const socket of sockets) socket.close();
});
