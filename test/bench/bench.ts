import { benchBroker } from './broker';
import { benchCodec } from './codec';

export interface BenchOptions {
  /** Measure for longer, against the noise of a busy machine. */
  long: boolean;
}

type Bench = (print: (line: string) => void, options: BenchOptions) => void | Promise<void>;

// `npm run bench [name...] [-- --long]`: every figure is a ratio to a counterpart measured in the same run.
const benches: Record<string, Bench> = {
  broker: benchBroker,
  codec: benchCodec,
};

async function main(): Promise<void> {
  const names = process.argv.slice(2).filter((argument) => argument !== '--long');
  const options = { long: process.argv.includes('--long') };
  for (const name of names.length > 0 ? names : Object.keys(benches)) {
    const bench = benches[name];
    if (bench === undefined)
      throw new Error(`no bench "${name}"; there are ${Object.keys(benches).join(', ')}`);
    console.log(`\n## ${name}\n`);
    await bench(console.log, options);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
