import { existsSync } from 'node:fs';
import { encodeString } from '../../rtps/string-sample';
import { type Context, deliver, type Endpoint, type Publisher } from './bus';
import { wait } from './faults';

export interface LossEvent {
  subscription: Endpoint;
  lost: number[];
}

/** Of the node of somebody else, where it was told one. */
export const names: { their?: string } = {};

/** What a test makes it do, by publishing on `/stand_in`. */
export function command({ bus }: Context, text: string): void {
  const [verb, ...words] = text.split(' ');
  switch (verb) {
    case 'abort':
      process.abort();
      break;
    case 'wait-for-file':
      while (!existsSync(words[0] as string)) wait();
      break;
    // Somebody else publishes.
    case 'publish':
      deliver(bus, words[0] as string, encodeString(words.slice(1).join(' ')));
      break;
    case 'publish-many':
      for (let index = 0; index < Number(words[1]); index++)
        deliver(bus, words[0] as string, encodeString(String(index)));
      break;
    case 'flood': {
      const cdr = Buffer.alloc(Number(words[2]));
      for (let count = Number(words[1]); count > 0; count--) deliver(bus, words[0] as string, cdr);
      break;
    }
    // The node of somebody else is another one now.
    case 'name':
      names.their = words[0] as string;
      break;
    // Somebody else has a publisher that keeps its messages.
    case 'keep': {
      const [topic = '', ...said] = words;
      const sample = deliver(bus, topic, encodeString(said.join(' ')));
      bus.publishers.add({ topic, kept: [sample], queue: [] } as unknown as Publisher);
      break;
    }
    // The middleware has lost messages.
    case 'lose':
      for (const { _events } of bus.nodes)
        for (const { handle, takeData } of _events) {
          const { subscription, lost } = handle as LossEvent;
          lost.push(Number(words[1]));
          if (subscription.topic === words[0]) takeData();
        }
      break;
    case 'serve':
      bus.services.set('/double', async (request) => Buffer.concat([request, request.subarray(4)]));
  }
}
