import { setTimeout } from 'node:timers/promises';
import { Participant } from '../../src/rtps/participant';
import { freshDomain } from '../rtps/fixture';

/** The quick first announcements, to all of this host's ports, are over then. */
const SETTLE_MS = 1500;

/** Uses a participant of ours, on the loopback interface and if not told otherwise in a domain of its own, that has settled. */
export async function withParticipant<Result>(
  use: (participant: Participant, domain: number) => Promise<Result>,
  domain = freshDomain(),
) {
  const participant = new Participant({ domain, range: 'localhost', interfaces: ['127.0.0.1'] });
  await participant.start();
  await setTimeout(SETTLE_MS);
  try {
    return await use(participant, domain);
  } finally {
    await participant.close();
  }
}
