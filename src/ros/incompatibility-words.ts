import type { RosIncompatibility, RosQos } from './ros-backend';

/** What our side of an incompatible pair is. */
export interface OwnEndpoint {
  type: string;
  typeHash: string;
  qos: RosQos;
}

/** Says why another endpoint on the name of a route does not suit it: "publisher is best effort, route wants reliable". */
export function incompatibilityWords({ remote, policy }: RosIncompatibility, own: OwnEndpoint): string {
  const { kind, qos } = remote;
  if (policy === 'type') return `a ${kind} has the type ${remote.type}, the route ${own.type}`;
  if (policy === 'type hash') {
    return `a ${kind} has another definition of ${remote.type} (${remote.typeHash}) than the route (${own.typeHash})`;
  }
  const adjective = ADJECTIVES[policy];
  const noun = NOUNS[policy];
  if (adjective !== undefined) {
    return kind === 'publisher'
      ? `publisher is ${adjective(qos)}, route wants ${adjective(own.qos)}`
      : `subscription wants ${adjective(qos)}, route is ${adjective(own.qos)}`;
  }
  if (noun !== undefined) {
    return kind === 'publisher'
      ? `publisher offers ${noun(qos)}, route wants ${noun(own.qos)}`
      : `subscription wants ${noun(qos)}, route offers ${noun(own.qos)}`;
  }
  return `a ${kind} does not match the route by its ${policy}`;
}

type Words = Readonly<Record<string, (qos: RosQos) => string>>;

const ADJECTIVES: Words = {
  reliability: ({ reliability }) => reliability.replace('-', ' '),
  durability: ({ durability }) => durability.replace('-', ' '),
};

const NOUNS: Words = {
  deadline: ({ deadline }) => spanWords('deadline', deadline),
  liveliness: ({ liveliness = 'automatic', livelinessLease }) =>
    `${liveliness.replaceAll('-', ' ')} liveliness with ${spanWords('lease', livelinessLease)}`,
  ownership: ({ ownership = 'shared' }) => `${ownership} ownership`,
};

function spanWords(name: string, milliseconds = Number.POSITIVE_INFINITY): string {
  return Number.isFinite(milliseconds) ? `a ${name} of ${milliseconds} ms` : `no ${name}`;
}
