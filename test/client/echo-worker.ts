import { type MessagePort, parentPort } from 'node:worker_threads';
import { PortStream } from '../../src/client/port-stream';

// The other thread of the port stream's tests: it does with a port what the message asks for.
parentPort?.on('message', ({ port, role }: { port: MessagePort; role: string }) => {
  const stream = new PortStream(port);
  if (role === 'echo') stream.pipe(stream);
  if (role === 'sink') stream.resume();
  if (role === 'destroy') stream.once('data', () => stream.destroy());
  if (role === 'end') stream.end('bye');
  if (role === 'crash') {
    stream.once('data', () => {
      throw new Error('crash');
    });
  }
  if (role === 'exit') stream.once('data', () => process.exit(1));
  if (role === 'count') {
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.on('end', () => parentPort?.postMessage({ bytes }));
  }
});
