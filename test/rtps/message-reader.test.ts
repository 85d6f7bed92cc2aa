import assert from 'node:assert/strict';
import { MessageReader, type SubmessageHandler } from '../../src/rtps/message-reader';
import { Pid } from '../../src/rtps/parameter-list';
import type { DataFragSubmessage, HeartbeatSubmessage, MessageContext } from '../../src/rtps/submessage';

const VENDOR_PREFIX = '0110aabb ccddeeff 00112233';
const HEADER = `52545053 0201 0110 ${VENDOR_PREFIX}`;

const bytes = (...parts: string[]) => Buffer.from(parts.join('').replaceAll(/\s/g, ''), 'hex');

/** Writes down what it is given: the name, the context and the submessage. */
function read(...parts: string[]) {
  const seen: Array<[string, MessageContext, unknown]> = [];
  const note = (name: string) => (context: MessageContext, submessage: unknown) => {
    seen.push([name, { ...context }, submessage]);
  };
  const skipped: number[] = [];
  const handler: SubmessageHandler = {
    accepts: () => true,
    data: note('data'),
    dataFrag: note('dataFrag'),
    heartbeat: note('heartbeat'),
    gap: note('gap'),
    ackNack: note('ackNack'),
    heartbeatFrag: note('heartbeatFrag'),
    nackFrag: note('nackFrag'),
    skipped: (id) => skipped.push(id),
  };
  const fault = new MessageReader(handler).read(bytes(...parts))?.message;
  return {
    fault,
    payload: (seen.at(-1)?.[2] as { payload?: Buffer } | undefined)?.payload,
    seen,
    skipped,
    names: seen.map(([name]) => name),
    last: seen.at(-1)?.[2],
    context: seen.at(-1)?.[1],
  };
}

/** The same HEARTBEAT in both byte orders. */
const HEARTBEAT_LE = '07 03 1c00 000004c7 000004c2 00000000 01000000 01000000 02000000 05000000';
const HEARTBEAT_BE = '07 02 001c 000004c7 000004c2 00000000 00000001 00000001 00000002 00000005';

describe('reading a message', () => {
  it('reads a HEARTBEAT in both byte orders', () => {
    for (const heartbeat of [HEARTBEAT_LE, HEARTBEAT_BE]) {
      const { fault, last, context } = read(HEADER, heartbeat);
      assert.equal(fault, undefined);
      assert.deepEqual(last, {
        readerId: 0x4c7,
        writerId: 0x4c2,
        first: 1,
        last: 2 ** 32 + 2,
        count: 5,
        final: true,
        liveliness: false,
      });
      assert.deepEqual(context, {
        sourcePrefix: '0110aabbccddeeff00112233',
        destinationPrefix: undefined,
        timestamp: undefined,
      });
    }
  });

  it('reads DATA with inline QoS in both byte orders', () => {
    const little = '15 07 2c00 0000 1000 00000104 00000203 00000000 09000000';
    const big = '15 06 002c 0000 0010 00000104 00000203 00000000 00000009';
    const littleQos = '7100 0400 00000003 0f80 0400 deadbeef 0100 0000';
    const bigQos = '0071 0004 00000003 800f 0004 deadbeef 0001 0000';
    for (const message of [`${little}${littleQos} 00010000`, `${big}${bigQos} 00010000`]) {
      const { fault, seen } = read(HEADER, message);
      assert.equal(fault, undefined);
      const data = seen[0]?.[2] as Parameters<SubmessageHandler['data']>[1];
      assert.equal(data.readerId, 0x104);
      assert.equal(data.writerId, 0x203);
      assert.equal(data.sequence, 9);
      assert.equal(data.payload.toString('hex'), '00010000');
      assert.equal(data.inlineQos?.bytes(Pid.statusInfo, 4)?.toString('hex'), '00000003');
      assert.equal(data.inlineQos?.bytes(0x800f, 4)?.toString('hex'), 'deadbeef');
    }
  });

  it('follows octetsToInlineQos past fields that a later version may add', () => {
    const { fault, payload } = read(
      HEADER,
      '15 05 1c00 0000 1400 00000104 00000203 00000000 01000000 ffffffff 00010000',
    );
    assert.equal(fault, undefined);
    assert.equal(payload?.toString('hex'), '00010000');
  });

  it('gives DATA that bears neither data nor key an empty payload', () => {
    const { payload } = read(HEADER, '15 01 1400 0000 1000 00000104 00000203 00000000 01000000');
    assert.equal(payload?.length, 0);
  });

  it('reads a HEARTBEAT that shows liveliness', () => {
    const { last } = read(HEADER, HEARTBEAT_LE.replace('07 03', '07 07'));
    assert.equal((last as HeartbeatSubmessage).liveliness, true);
  });

  it('reads ACKNACK and GAP with their sets in both byte orders', () => {
    const ackNack = {
      readerId: 0x104,
      writerId: 0x203,
      base: 5,
      numbers: [5, 7, 36, 37],
      count: 9,
      final: false,
    };
    const littleAck = '06 01 2000 00000104 00000203 00000000 05000000 21000000 000000a0 00000080 09000000';
    const bigAck = '06 00 0020 00000104 00000203 00000000 00000005 00000021 a0000000 80000000 00000009';
    assert.deepEqual(read(HEADER, littleAck).last, { ...ackNack, numbers: [5, 7, 37] });
    assert.deepEqual(read(HEADER, bigAck).last, { ...ackNack, numbers: [5, 7, 37] });
    const gap = { readerId: 0, writerId: 0x203, start: 3, base: 5, numbers: [6] };
    const littleGap = '08 01 2000 00000000 00000203 00000000 03000000 00000000 05000000 02000000 00000040';
    const bigGap = '08 00 0020 00000000 00000203 00000000 00000003 00000000 00000005 00000002 40000000';
    assert.deepEqual(read(HEADER, littleGap).last, gap);
    assert.deepEqual(read(HEADER, bigGap).last, gap);
  });

  it('reads DATA_FRAG with inline QoS in both byte orders', () => {
    // Fragments 3 and 4 of 3 octets each, of a sample of 11 octets, and padding.
    const little = '16 03 3400 0000 1c00 00000104 00000203 00000000 09000000 03000000 0200 0300 0b000000';
    const big = '16 02 0034 0000 001c 00000104 00000203 00000000 00000009 00000003 0002 0003 0000000b';
    const littleQos = '7100 0400 00000003 0100 0000';
    const bigQos = '0071 0004 00000003 0001 0000';
    for (const message of [`${little}${littleQos}`, `${big}${bigQos}`]) {
      const { fault, seen } = read(HEADER, message, '61626364 65000000');
      assert.equal(fault, undefined);
      const [, , submessage] = seen[0] as (typeof seen)[number];
      const { inlineQos, payload, ...rest } = submessage as DataFragSubmessage;
      assert.deepEqual(rest, {
        readerId: 0x104,
        writerId: 0x203,
        sequence: 9,
        first: 3,
        count: 2,
        fragmentBytes: 3,
        sampleBytes: 11,
      });
      assert.equal(payload.toString(), 'abcde');
      assert.equal(inlineQos?.bytes(Pid.statusInfo, 4)?.toString('hex'), '00000003');
    }
  });

  it('reads HEARTBEAT_FRAG and NACK_FRAG in both byte orders', () => {
    const heartbeat = { readerId: 0x104, writerId: 0x203, sequence: 2 ** 32 + 9, last: 70, count: 5 };
    const littleHeartbeat = '13 01 1800 00000104 00000203 01000000 09000000 46000000 05000000';
    const bigHeartbeat = '13 00 0018 00000104 00000203 00000001 00000009 00000046 00000005';
    for (const message of [littleHeartbeat, bigHeartbeat])
      assert.deepEqual(read(HEADER, message).last, heartbeat);
    const nack = { readerId: 0x104, writerId: 0x203, sequence: 9, numbers: [5, 7, 37], count: 8 };
    const littleNack =
      '12 01 2400 00000104 00000203 00000000 09000000 05000000 21000000 000000a0 00000080 08000000';
    const bigNack =
      '12 00 0024 00000104 00000203 00000000 00000009 00000005 00000021 a0000000 80000000 00000008';
    for (const message of [littleNack, bigNack]) assert.deepEqual(read(HEADER, message).last, nack);
  });

  it('goes on behind INFO_REPLY, and answers nowhere else for it', () => {
    const locator = '01000000 e81c0000 00000000 00000000 00000000 7f000001';
    const { fault, names, skipped } = read(
      HEADER,
      `0f 01 2000 01000000 ${locator} 00000000`,
      '0d 01 0800 0100007f 00001ce8',
      HEARTBEAT_LE,
    );
    assert.equal(fault, undefined);
    assert.deepEqual(names, ['heartbeat']);
    assert.deepEqual(skipped, []);
  });

  it('takes the ACKNACK with base 0 that Fast DDS begins with', () => {
    const { fault, last } = read(HEADER, '06 01 1800 00000104 00000203 00000000 00000000 00000000 01000000');
    assert.equal(fault, undefined);
    assert.deepEqual(last, {
      readerId: 0x104,
      writerId: 0x203,
      base: 0,
      numbers: [],
      count: 1,
      final: false,
    });
  });

  it('takes INFO_DST with a prefix of zeros as everybody, as Cyclone DDS 11 sends it', () => {
    const everybody = read(HEADER, '0e 01 0c00 00000000 00000000 00000000', HEARTBEAT_LE);
    assert.equal(everybody.context?.destinationPrefix, undefined);
    const one = read(HEADER, '0e 01 0c00 01020304 05060708 090a0b0c', HEARTBEAT_LE);
    assert.equal(one.context?.destinationPrefix, '0102030405060708090a0b0c');
  });

  it('applies INFO_TS until it is invalidated, and INFO_SRC', () => {
    const timestamp = '09 01 0800 01000000 00000080';
    const { seen } = read(
      HEADER,
      timestamp,
      HEARTBEAT_LE,
      '09 03 0000',
      HEARTBEAT_LE,
      '0c 00 0014 00000000 0201 010f 0a0b0c0d 0e0f1011 12131415',
      HEARTBEAT_LE,
    );
    assert.deepEqual(
      seen.map(([, context]) => [context.timestamp, context.sourcePrefix]),
      [
        [1_500_000_000n, '0110aabbccddeeff00112233'],
        [undefined, '0110aabbccddeeff00112233'],
        [undefined, '0a0b0c0d0e0f101112131415'],
      ],
    );
  });

  it('reads INFO_TS, INFO_DST and INFO_SRC in both byte orders, of which the last two have but octets', () => {
    for (const messages of [
      ['09 01 0800 01000000 00000080', '0e 01 0c00', '0c 01 1400 00000000'],
      ['09 00 0008 00000001 80000000', '0e 00 000c', '0c 00 0014 00000000'],
    ]) {
      const [timestamp, destination, source] = messages;
      const { fault, seen } = read(
        HEADER,
        `${source} 0201 010f 0a0b0c0d 0e0f1011 12131415`,
        `${timestamp}`,
        `${destination} 01020304 05060708 090a0b0c`,
        HEARTBEAT_LE,
      );
      assert.equal(fault, undefined);
      assert.deepEqual(
        seen.map(([, context]) => context),
        [
          {
            sourcePrefix: '0a0b0c0d0e0f101112131415',
            destinationPrefix: '0102030405060708090a0b0c',
            timestamp: 1_500_000_000n,
          },
        ],
      );
    }
  });

  it('skips PAD and what it does not know by their length', () => {
    const { fault, names, skipped } = read(
      HEADER,
      '01 01 0000',
      '01 01 0400 ffffffff',
      '01 00 0004 ffffffff',
      '80 01 0800 0102030405060708',
      '7f 00 0004 00000000',
      HEARTBEAT_LE,
    );
    assert.equal(fault, undefined);
    assert.deepEqual(names, ['heartbeat']);
    assert.deepEqual(skipped, [0x80, 0x7f]);
  });

  it('takes a length of zero as the rest of the datagram', () => {
    const { fault, payload } = read(
      HEADER,
      '15 05 0000 0000 1000 00000104 00000203 00000000 01000000 00010000 01020304',
    );
    assert.equal(fault, undefined);
    assert.equal(payload?.toString('hex'), '0001000001020304');
    const fragment = read(
      HEADER,
      '16 01 0000 0000 1c00 00000104 00000203 00000000 01000000 01000000 0100 0400 08000000 61626364',
    );
    assert.equal(fragment.fault, undefined);
    assert.equal(fragment.payload?.toString(), 'abcd');
  });

  it('keeps what came before a broken submessage and ignores the rest', () => {
    const { fault, names } = read(HEADER, HEARTBEAT_LE, '07 01 0400 00000000', HEARTBEAT_LE);
    assert.match(fault ?? '', /HEARTBEAT is 24 octets short/);
    assert.deepEqual(names, ['heartbeat']);
  });

  const broken: ReadonlyArray<[string, RegExp, ...string[]]> = [
    ['an empty datagram', /RTPS header/, ''],
    ['another protocol', /RTPS header/, '52545058 0201 0110', VENDOR_PREFIX],
    ['a truncated header', /RTPS header/, '52545053 0201 0110 0000'],
    ['another major version', /version 3/, '52545053 0301 0110', VENDOR_PREFIX],
    ['a submessage longer than the datagram', /7 octets, 2 are left/, HEADER, '80 01 0700 0000'],
    [
      'a sequence number of 0',
      /sequence number 0/,
      HEADER,
      '15 01 1400 0000 1000 00000104 00000203 00000000 00000000',
    ],
    [
      'a sequence number that no double holds',
      /out of range/,
      HEADER,
      '15 01 1400 0000 1000 00000104 00000203 00002000 00000000',
    ],
    [
      'a negative sequence number',
      /out of range/,
      HEADER,
      '15 01 1400 0000 1000 00000104 00000203 ffffffff ffffffff',
    ],
    [
      'inline QoS before its field',
      /octetsToInlineQos/,
      HEADER,
      '15 03 1400 0000 0000 00000104 00000203 00000000 01000000',
    ],
    [
      'inline QoS behind the end',
      /octetsToInlineQos/,
      HEADER,
      '15 03 1400 0000 ffff 00000104 00000203 00000000 01000000',
    ],
    [
      'inline QoS without an end',
      /sentinel/,
      HEADER,
      '15 03 1c00 0000 1000 00000104 00000203 00000000 01000000 7100 0400 00000003',
    ],
    [
      'a parameter behind the end',
      /longer than its list/,
      HEADER,
      '15 03 1c00 0000 1000 00000104 00000203 00000000 01000000 7100 fcff 00000003',
    ],
    [
      'a HEARTBEAT that ends before it begins',
      /last 3 is before first 9/,
      HEADER,
      '07 01 1c00 00000000 00000203 00000000 09000000 00000000 03000000 01000000',
    ],
    [
      'a set of more than 256',
      /257 numbers/,
      HEADER,
      '06 01 1800 00000104 00000203 00000000 05000000 01010000 01000000',
    ],
    [
      'a set longer than its submessage',
      /short/,
      HEADER,
      '06 01 1800 00000104 00000203 00000000 05000000 40000000 01000000',
    ],
    [
      'a GAP from 0',
      /sequence number 0/,
      HEADER,
      '08 01 1c00 00000000 00000203 00000000 00000000 00000000 05000000 00000000',
    ],
    ['a short INFO_DST', /INFO_DST is 8 octets short/, HEADER, '0e 01 0400 00000000'],
    ['a short INFO_TS', /INFO_TS is 4 octets short/, HEADER, '09 01 0400 00000000'],
    ['a short INFO_SRC', /INFO_SRC is 16 octets short/, HEADER, '0c 01 0400 00000000'],
    ['a short DATA', /DATA is 16 octets short/, HEADER, '15 01 0400 00000000'],
    ['a short DATA_FRAG', /DATA_FRAG is 28 octets short/, HEADER, '16 01 0400 00000000'],
    [
      'fragment number 0',
      /from number 0/,
      HEADER,
      '16 01 2400 0000 1c00 00000104 00000203 00000000 01000000 00000000 0100 0400 04000000 00000000',
    ],
    [
      'no fragments',
      /DATA_FRAG: 0 fragments/,
      HEADER,
      '16 01 2400 0000 1c00 00000104 00000203 00000000 01000000 01000000 0000 0400 04000000 00000000',
    ],
    [
      'fragments of no octets',
      /fragments of 0 octets/,
      HEADER,
      '16 01 2400 0000 1c00 00000104 00000203 00000000 01000000 01000000 0100 0000 04000000 00000000',
    ],
    [
      'fragments of an empty sample',
      /of a sample of 0/,
      HEADER,
      '16 01 2400 0000 1c00 00000104 00000203 00000000 01000000 01000000 0100 0400 00000000 00000000',
    ],
    [
      'a fragment behind the end of its sample',
      /from number 2, of a sample of 4/,
      HEADER,
      '16 01 2400 0000 1c00 00000104 00000203 00000000 01000000 02000000 0100 0400 04000000 00000000',
    ],
    [
      'fragments of which the last is behind the end',
      /DATA_FRAG: 2 fragments/,
      HEADER,
      '16 01 2400 0000 1c00 00000104 00000203 00000000 01000000 01000000 0200 0400 04000000 00000000',
    ],
    [
      'a fragment number that no sample can have',
      /from number 4294967295/,
      HEADER,
      '16 01 2400 0000 1c00 00000104 00000203 00000000 01000000 ffffffff 0100 ffff ffffffff 00000000',
    ],
    [
      'fewer octets than the fragments have',
      /DATA_FRAG is 4 octets short/,
      HEADER,
      '16 01 2400 0000 1c00 00000104 00000203 00000000 01000000 01000000 0200 0400 08000000 00000000',
    ],
    [
      'NACK_FRAG for fragment number 0',
      /fragment number 0/,
      HEADER,
      '12 01 1c00 00000104 00000203 00000000 01000000 00000000 00000000 01000000',
    ],
    [
      'NACK_FRAG with a set of more than 256',
      /257 numbers/,
      HEADER,
      '12 01 1c00 00000104 00000203 00000000 01000000 01000000 01010000 01000000',
    ],
    ['a short NACK_FRAG', /NACK_FRAG is 24 octets short/, HEADER, '12 01 0400 00000000'],
    ['a short HEARTBEAT_FRAG', /HEARTBEAT_FRAG is 20 octets short/, HEADER, '13 01 0400 00000000'],
  ];
  for (const [name, fault, ...parts] of broken)
    it(`refuses ${name}`, () => {
      const result = read(...parts);
      assert.match(result.fault ?? 'none', fault);
      assert.deepEqual(result.seen, []);
    });
});
