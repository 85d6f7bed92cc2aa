// Runs in a network namespace of namespace.test.ts: a participant on all of its interfaces that says on stdout, one
// JSON object per line, what it found and heard. Ends when stdin does.
import { Participant, type ParticipantOptions } from '../../src/rtps/participant';
import { decodeString, RELIABLE, STRING } from './fixture';

const { topic, ...options } = JSON.parse(process.argv[2] ?? '') as ParticipantOptions & { topic: string };

const say = (news: object) => process.stdout.write(`${JSON.stringify(news)}\n`);

const participant = new Participant(options);
participant.on('participant', ({ vendorId }) => say({ participant: vendorId }));
participant.on('participant-lost', ({ vendorId }) => say({ lost: vendorId }));
participant.on('warning', (warning) => say({ warning }));
participant.createReader({ topic, type: STRING, qos: RELIABLE }, ({ payload }) =>
  say({ sample: decodeString(payload) }),
);
const refusals = setInterval(() => {
  if (participant.statistics.announcementsRefused === 0) return;
  clearInterval(refusals);
  say({ refused: true });
}, 20);
process.stdin.resume();
process.stdin.once('end', () => {
  clearInterval(refusals);
  say({ outOfRange: participant.statistics.datagramsOutOfRange });
  void participant.close();
});
void participant.start().then(() => say({ started: true }));
