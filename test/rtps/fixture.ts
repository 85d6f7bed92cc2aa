import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { Participant, type ParticipantOptions } from '../../src/rtps/participant';
import type { EndpointQos } from '../../src/rtps/qos';
import type { Sample } from '../../src/rtps/reader';
import { counterpart } from '../counterparts';
import { DdsPeer, type DdsPeerOptions, type DdsRole, type DdsVendor } from '../peers/dds/dds-peer';
import { decodeString, encodeString } from './string-sample';

export const STRING = 'std_msgs::msg::dds_::String_';
export const IMAGE = 'sensor_msgs::msg::dds_::Image_';
export const RELIABLE: EndpointQos = { reliability: 'reliable', durability: 'volatile', depth: 1000 };
export const BEST_EFFORT: EndpointQos = { ...RELIABLE, reliability: 'best-effort' };
export const TRANSIENT_LOCAL: EndpointQos = { ...RELIABLE, durability: 'transient-local' };

/** How others see a QoS that is announced: with the defaults of what it leaves out. */
export function announced(qos: EndpointQos): EndpointQos {
  const forEver = Number.POSITIVE_INFINITY;
  return {
    deadline: forEver,
    liveliness: 'automatic',
    livelinessLease: forEver,
    lifespan: forEver,
    ownership: 'shared',
    ownershipStrength: 0,
    partitions: [],
    ...qos,
  };
}

export { freshDomain } from './test-domain';
export { decodeString, encodeString };

/** A topic name that nothing else on this machine uses. */
export function freshTopic(): string {
  return `rt/test_${randomBytes(6).toString('hex')}`;
}

/** The CDR of a `sensor_msgs/msg/Image` as the peers make that of a number, with so many octets of data. */
export function encodeImage(number: number, bytes: number): Buffer {
  const payload = Buffer.alloc(100 + bytes);
  let at = 4;
  const uint32 = (value: number) => {
    at = 4 * Math.ceil(at / 4);
    at = payload.writeUInt32LE(value, at);
  };
  const string = (text: string) => {
    uint32(text.length + 1);
    at += payload.write(`${text}\0`, at);
  };
  payload.writeUInt16BE(0x0001, 0);
  uint32(number);
  uint32(500_000_000);
  string(`message ${number}`);
  uint32(1);
  uint32(bytes);
  string('mono8');
  payload[at++] = 0;
  uint32(bytes);
  uint32(bytes);
  for (let octet = 0; octet < bytes; octet++)
    payload[at + octet] = octet * 7 + Math.floor(octet / 251) + number;
  return payload.subarray(0, at + bytes);
}

/** Takes what a reader delivers, and lets a test wait for it. */
export class Inbox extends EventEmitter {
  readonly samples: Sample[] = [];
  readonly take = (sample: Sample): void => {
    this.samples.push(sample);
    this.emit('sample');
  };

  get texts(): string[] {
    return this.samples.map(({ payload }) => decodeString(payload));
  }

  /** All that came, once there are as many. */
  async until(count: number): Promise<Sample[]> {
    while (this.samples.length < count) await once(this, 'sample');
    return this.samples;
  }
}

/** `message 1`, `message 2`, ... as the talker in C says. */
export function numberedTexts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index + 1}`);
}

const PROGRAMS = {
  cyclone: { topic: 'dds-peer', service: 'dds-service', action: 'dds-action' },
  fast: { topic: 'fast-dds-peer', service: 'fast-dds-service', action: 'fast-dds-action' },
} as const;

/** The participants and peers of one test, ended after it. */
export class Cast {
  readonly #vendor: DdsVendor;
  readonly #closers: Array<() => Promise<void>> = [];

  /** @param vendor of the peers */
  constructor(vendor: DdsVendor = 'cyclone') {
    this.#vendor = vendor;
  }

  /** A started participant on the loopback interface. */
  async participant(
    options: Partial<ParticipantOptions> & { domain: number },
    createTransport?: ConstructorParameters<typeof Participant>[1],
  ): Promise<Participant> {
    const loopback = { range: 'localhost', interfaces: ['127.0.0.1'] } as const;
    const participant = new Participant({ ...loopback, ...options }, createTransport);
    this.#closers.push(() => participant.close());
    await participant.start();
    return participant;
  }

  /** @param subject what is served and called, or talked on and listened to */
  peer(
    test: Mocha.Context,
    role: DdsRole,
    options: DdsPeerOptions,
    subject: 'topic' | 'service' | 'action' = role === 'serve' || role === 'call' ? 'service' : 'topic',
  ): DdsPeer {
    const { vendor = this.#vendor } = options;
    const peer = new DdsPeer(counterpart(test, PROGRAMS[vendor][subject]), role, { ...options, vendor });
    this.#closers.push(() => peer.stop('SIGKILL'));
    return peer;
  }

  async leave(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map((close) => close()));
  }
}
