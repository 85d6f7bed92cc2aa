import { parseArgs } from 'node:util';
import { benchBridge } from './bridge';
import { benchBroker } from './broker';
import { benchClient } from './client';
import { benchCodec } from './codec';
import { benchGateway } from './gateway';
import { benchInProcess } from './in-process';
import { benchNodes } from './nodes';
import { benchRtps } from './rtps';

export interface BenchOptions {
  /** Measure for longer, against the noise of a busy machine. */
  long: boolean;
  /** Only rows whose names contain this; of the broker's and the nodes' bench. */
  only: string | undefined;
}

type Bench = (print: (line: string) => void, options: BenchOptions) => void | Promise<void>;

// `npm run bench [name...] [-- --long] [--only <part of a row's name>]`: every figure is a ratio to a counterpart measured in the same run.
const benches: Record<string, Bench> = {
  bridge: benchBridge,
  broker: benchBroker,
  client: benchClient,
  codec: benchCodec,
  gateway: benchGateway,
  'in-process': benchInProcess,
  nodes: benchNodes,
  rtps: benchRtps,
};

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { long: { type: 'boolean', default: false }, only: { type: 'string' } },
  });
  const options = { long: values.long, only: values.only };
  for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
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
