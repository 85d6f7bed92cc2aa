// aedes with all in memory, for comparison: `aedes-process.js <entry of the package>`.
import { type AddressInfo, createServer, type Socket } from 'node:net';

interface Aedes {
  handle(socket: Socket): void;
}

async function main(): Promise<void> {
  const { Aedes } = (await import(process.argv[2] as string)) as {
    Aedes: { createBroker(): Promise<Aedes> };
  };
  const broker = await Aedes.createBroker();
  const server = createServer({ noDelay: true }, (socket) => broker.handle(socket));
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit());
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
