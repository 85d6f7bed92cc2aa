import { accountOverKills } from '../broker/kill-account';
import type { Soak } from './soak';

const KILLS_AT_A_TIME = 25;

/** Kills brokers, by turns with either durability, and accounts for every message. */
export async function soakKills({ print, deadline }: Soak): Promise<void> {
  let kills = 0;
  let messages = 0;
  let repeated = 0;
  for (let round = 0; performance.now() < deadline; round++) {
    const durability = round % 2 === 0 ? 'write' : 'strict';
    const account = await accountOverKills({ kills: KILLS_AT_A_TIME, durability, messagesBetween: 300 });
    kills += KILLS_AT_A_TIME;
    messages += account.messages;
    repeated += account.repeated;
  }
  print(`${kills} kills, all of ${messages} messages came; ${repeated} of QoS 1 came again`);
}
