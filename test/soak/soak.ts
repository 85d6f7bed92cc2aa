import { parseArgs } from 'node:util';
import { soakAccounts } from './accounts';
import { soakBridge } from './bridge';
import { soakBridges, soakBridgesEmbedded } from './bridges';
import { soakBurst, soakChurn, soakIdle } from './connections';
import { soakDecoder, soakFuzz } from './fuzz';
import { soakGateway } from './gateway';
import { soakKills } from './kills';
import { soakLoad } from './load';
import { soakRoutes } from './routes';
import { soakRtps } from './rtps';
import { soakTalkers } from './talkers';

/** What is looked into, and for how long. */
export interface Soak {
  print: (line: string) => void;
  /** Of `performance.now()`; what has begun is brought to its end. */
  deadline: number;
  /** Of what is left to chance. */
  seed: number;
}

// `npm run soak [name...] [-- --minutes <each> --seed <number>]`: what is too long for `npm test`. Each ends with an error or a figure.
const soaks: Record<string, (soak: Soak) => Promise<void>> = {
  kills: soakKills,
  decoder: soakDecoder,
  fuzz: soakFuzz,
  gateway: soakGateway,
  churn: soakChurn,
  idle: soakIdle,
  burst: soakBurst,
  load: soakLoad,
  rtps: soakRtps,
  talkers: soakTalkers,
  bridge: soakBridge,
  bridges: soakBridges,
  'bridges-embedded': soakBridgesEmbedded,
  routes: soakRoutes,
  accounts: soakAccounts,
};

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { minutes: { type: 'string', default: '2' }, seed: { type: 'string' } },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes is "${values.minutes}", expected a number above 0`);
  for (const name of positionals.length > 0 ? positionals : Object.keys(soaks)) {
    const soak = soaks[name];
    if (soak === undefined) throw new Error(`no soak "${name}"; there are ${Object.keys(soaks).join(', ')}`);
    const print = (line: string) => console.log(`${name}: ${line}`);
    const seed = values.seed === undefined ? Date.now() % 2 ** 32 : Number(values.seed);
    await soak({ print, deadline: performance.now() + minutes * 60_000, seed });
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
