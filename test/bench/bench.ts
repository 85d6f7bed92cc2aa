import { benchBroker } from './broker';
import { benchCodec } from './codec';

// `npm run bench [name...]`: every figure is a ratio to a counterpart measured in the same run.
const benches: Record<string, (print: (line: string) => void) => void | Promise<void>> = {
  broker: benchBroker,
  codec: benchCodec,
};

async function main(): Promise<void> {
  const names = process.argv.slice(2);
  for (const name of names.length > 0 ? names : Object.keys(benches)) {
    const bench = benches[name];
    if (bench === undefined)
      throw new Error(`no bench "${name}"; there are ${Object.keys(benches).join(', ')}`);
    console.log(`\n## ${name}\n`);
    await bench(console.log);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
