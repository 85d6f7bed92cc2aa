import assert from 'node:assert/strict';
import { MessageReader } from '../../src/rtps/message-reader';
import {
  type Change,
  dataBytes,
  dataFragBytes,
  MessageWriter,
  nackFragBytes,
} from '../../src/rtps/message-writer';
import { MESSAGE_HEADER_BYTES } from '../../src/rtps/submessage';

const PREFIX = '01feaabbccddeeff00112233';
const HEADER = `52545053 0201 01fe ${PREFIX}`;
const PEER = '0102030405060708090a0b0c';

const hex = (...parts: string[]) => parts.join('').replaceAll(/\s/g, '');

function written(write: (writer: MessageWriter) => void): string {
  const writer = new MessageWriter(PREFIX, Buffer.alloc(1024, 0xff));
  write(writer);
  return writer.message.toString('hex');
}

const change = (sequence: number, payload: string, rest: Partial<Change> = {}): Change => ({
  sequence,
  timestamp: { seconds: 1, fraction: 0x80000000 },
  payload: Buffer.from(payload, 'hex'),
  keyOnly: false,
  inlineQos: undefined,
  ...rest,
});

describe('writing a message', () => {
  it('writes DATA with its time and pads the payload', () => {
    assert.equal(
      written((writer) => writer.data(0x104, 0x203, change(2 ** 32 + 9, '0001000061'))),
      hex(
        HEADER,
        '09 01 0800 01000000 00000080',
        '15 05 1c00 0000 1000 00000104 00000203 01000000 09000000 00010000 61000000',
      ),
    );
  });

  it('says the destination and the time once for submessages that share them', () => {
    assert.equal(
      written((writer) => {
        writer.destination(PEER);
        writer.data(0, 0x203, change(1, '00010000'));
        writer.destination(PEER);
        writer.data(0, 0x203, change(2, '00010000'));
      }),
      hex(
        HEADER,
        `0e 01 0c00 ${PEER}`,
        '09 01 0800 01000000 00000080',
        '15 05 1800 0000 1000 00000000 00000203 00000000 01000000 00010000',
        '15 05 1800 0000 1000 00000000 00000203 00000000 02000000 00010000',
      ),
    );
  });

  it('writes a disposal as a key with inline QoS', () => {
    const inlineQos = Buffer.from(hex('7100 0400 00000003 0100 0000'), 'hex');
    assert.equal(
      written((writer) => writer.data(0x4c7, 0x4c2, change(3, '00030000', { keyOnly: true, inlineQos }))),
      hex(
        HEADER,
        '09 01 0800 01000000 00000080',
        '15 0b 2400 0000 1000 000004c7 000004c2 00000000 03000000 7100 0400 00000003 0100 0000 00030000',
      ),
    );
  });

  it('writes HEARTBEAT, GAP and ACKNACK', () => {
    assert.equal(
      written((writer) => writer.heartbeat(0x104, 0x203, 1, 8, 5, false)),
      hex(HEADER, '07 01 1c00 00000104 00000203 00000000 01000000 00000000 08000000 05000000'),
    );
    assert.equal(
      written((writer) => writer.gap(0x104, 0x203, 3, 5)),
      hex(HEADER, '08 01 1c00 00000104 00000203 00000000 03000000 00000000 05000000 00000000'),
    );
    assert.equal(
      written((writer) => writer.ackNack(0x104, 0x203, 5, [5, 7, 37], 9, true)),
      hex(HEADER, '06 03 2000 00000104 00000203 00000000 05000000 21000000 000000a0 00000080 09000000'),
    );
    assert.equal(
      written((writer) => writer.ackNack(0x104, 0x203, 1, [], 1, false)),
      hex(HEADER, '06 01 1800 00000104 00000203 00000000 01000000 00000000 01000000'),
    );
  });

  it('writes DATA_FRAG and NACK_FRAG', () => {
    const sample = change(9, '000100006162636465');
    const header = (number: string, length: string) =>
      `16 01 ${length} 0000 1c00 00000104 00000203 00000000 09000000 ${number}000000 0100 0600 09000000`;
    assert.equal(
      written((writer) => {
        writer.dataFrag(0x104, 0x203, sample, 1, 6);
        writer.dataFrag(0x104, 0x203, sample, 2, 6);
      }),
      hex(
        HEADER,
        '09 01 0800 01000000 00000080',
        `${header('01', '2800')} 00010000 61620000`,
        `${header('02', '2400')} 63646500`,
      ),
    );
    assert.equal(
      written((writer) => writer.nackFrag(0x104, 0x203, 9, [5, 7, 37], 8)),
      hex(
        HEADER,
        '12 01 2400 00000104 00000203 00000000 09000000 05000000 21000000 000000a0 00000080 08000000',
      ),
    );
  });

  it('asks for a set that spans 256 numbers and reads it back', () => {
    const missing = [1000, 1031, 1032, 1255];
    const writer = new MessageWriter(PREFIX, Buffer.alloc(1024));
    writer.ackNack(0x104, 0x203, 1000, missing, 1, false);
    let numbers: readonly number[] = [];
    const ignore = () => {};
    const fault = new MessageReader({
      accepts: () => true,
      data: ignore,
      dataFrag: ignore,
      heartbeat: ignore,
      gap: ignore,
      heartbeatFrag: ignore,
      nackFrag: ignore,
      skipped: ignore,
      ackNack: (_context, ackNack) => {
        numbers = ackNack.numbers;
      },
    }).read(writer.message);
    assert.equal(fault, undefined);
    assert.deepEqual(numbers, missing);
  });

  it('needs no more room than it says', () => {
    for (const length of [0, 1, 2, 3, 4, 5]) {
      const sample = change(1, '00'.repeat(length), { inlineQos: Buffer.from('01000000', 'hex') });
      const writer = new MessageWriter(PREFIX, Buffer.alloc(MESSAGE_HEADER_BYTES + dataBytes(sample)));
      writer.destination(PEER);
      writer.data(0, 0x203, sample);
      assert.equal(writer.length, MESSAGE_HEADER_BYTES + dataBytes(sample));
    }
    const sample = change(1, '00'.repeat(10));
    for (const number of [1, 2]) {
      const bytes = MESSAGE_HEADER_BYTES + dataFragBytes(sample, number === 1 ? 7 : 3);
      const writer = new MessageWriter(PREFIX, Buffer.alloc(bytes));
      writer.destination(PEER);
      writer.dataFrag(0, 0x203, sample, number, 7);
      assert.equal(writer.length, bytes);
    }
    for (const missing of [[9], [1, 32], [1, 33], [1, 256]]) {
      const span = (missing.at(-1) as number) - (missing[0] as number) + 1;
      const writer = new MessageWriter(PREFIX, Buffer.alloc(MESSAGE_HEADER_BYTES + nackFragBytes(span)));
      writer.destination(PEER);
      writer.nackFrag(0, 0x203, 1, missing, 1);
      assert.equal(writer.length, MESSAGE_HEADER_BYTES + nackFragBytes(span));
    }
  });
});
