import assert from 'node:assert/strict';
import { decodeEndpointData, encodeEndpointData } from '../../src/rtps/endpoint-data';
import { locatorOf } from '../../src/rtps/locator';
import { MalformedError } from '../../src/rtps/malformed-error';
import { ParameterList, Pid } from '../../src/rtps/parameter-list';
import {
  ALL_BUILTIN_ENDPOINTS,
  decodeDisposal,
  decodeParticipantData,
  encodeDisposal,
  encodeParticipantData,
} from '../../src/rtps/participant-data';

const bytes = (...parts: string[]) => Buffer.from(parts.join('').replaceAll(/\s/g, ''), 'hex');
const text = (value: string) => Buffer.from(value).toString('hex');

const PREFIX = '010faabbccddeeff00112233';

describe('participant data', () => {
  const little = bytes(
    '0003 0000',
    '1500 0400 0203 0000',
    '1600 0400 010f 0000',
    `5000 1000 ${PREFIX} 000001c1`,
    '0200 0800 14000000 00000080',
    // Shared memory (kind 16), UDPv6, a multicast address, and UDPv4.
    '3200 1800 01000000 f21c0000 00000000 00000000 00000000 efff0001',
    '3200 1800 10000000 f21c0000 00000000 00000000 00000000 00000000',
    '3200 1800 02000000 f21c0000 fe800000 00000000 00000000 00000001',
    '3200 1800 01000000 f21c0000 00000000 00000000 00000000 c0000202',
    '3100 1800 01000000 f31c0000 00000000 00000000 00000000 c0000202',
    '5800 0400 3f0c0000',
    '0f00 0400 07000000',
    `2c00 0c00 06000000 ${text('abc=1;')} 0000`,
    `6200 0c00 05000000 ${text('name')}00 000000`,
    // Fast DDS 3: its own parameters have bit 0x8000, 0x8007 among them.
    `0780 0800 ${text('notatype')}`,
    '0100 0000',
  );
  const big = bytes(
    '0002 0000',
    '0015 0004 0203 0000',
    '0016 0004 010f 0000',
    `0050 0010 ${PREFIX} 000001c1`,
    '0002 0008 00000014 80000000',
    '0032 0018 00000001 00001cf2 00000000 00000000 00000000 c0000202',
    '0031 0018 00000001 00001cf3 00000000 00000000 00000000 c0000202',
    '0058 0004 00000c3f',
    '000f 0004 00000007',
    `002c 000c 00000006 ${text('abc=1;')} 0000`,
    `0062 000c 00000005 ${text('name')}00 000000`,
    '0001 0000',
  );

  it('is read in both byte orders, with the UDPv4 locators only', () => {
    for (const payload of [little, big])
      assert.deepEqual(decodeParticipantData(payload), {
        prefix: PREFIX,
        vendorId: 0x010f,
        domain: 7,
        builtinEndpoints: 0xc3f,
        leaseDuration: 20_500,
        metatrafficLocators: [locatorOf('192.0.2.2', 7410)],
        userLocators: [locatorOf('192.0.2.2', 7411)],
        name: 'name',
        userData: Buffer.from('abc=1;'),
      });
  });

  it('is read as it was written', () => {
    const data = {
      prefix: PREFIX,
      vendorId: 0x01fe,
      domain: 232,
      builtinEndpoints: ALL_BUILTIN_ENDPOINTS,
      leaseDuration: 10_000,
      metatrafficLocators: [locatorOf('192.0.2.2', 7410), locatorOf('127.0.0.1', 7410)],
      userLocators: [locatorOf('192.0.2.2', 7411)],
      name: 'näme',
      userData: Buffer.from([1, 2, 3]),
    };
    assert.deepEqual(decodeParticipantData(encodeParticipantData(data)), data);
  });

  it('has the defaults of the specification for what is left out', () => {
    assert.deepEqual(decodeParticipantData(bytes(`0003 0000 5000 1000 ${PREFIX} 000001c1 0100 0000`)), {
      prefix: PREFIX,
      vendorId: 0,
      domain: undefined,
      builtinEndpoints: ALL_BUILTIN_ENDPOINTS,
      leaseDuration: 100_000,
      metatrafficLocators: [],
      userLocators: [],
      name: undefined,
      userData: undefined,
    });
  });

  it('may have a lease without end', () => {
    const payload = bytes(`0003 0000 5000 1000 ${PREFIX} 000001c1 0200 0800 ffffff7f ffffffff 0100 0000`);
    assert.equal(decodeParticipantData(payload).leaseDuration, Number.POSITIVE_INFINITY);
  });
});

describe('endpoint data', () => {
  it('keeps a vendor parameter apart from the type name, and takes one that must be understood', () => {
    const payload = bytes(
      '0003 0000',
      `5a00 1000 ${PREFIX} 00000203`,
      // 0x4005 is the topic name with "must understand".
      `0540 0c00 05000000 ${text('rt/a')}00 000000`,
      `0780 0800 04000000 ${text('bad')}00`,
      `0700 0c00 05000000 ${text('Type')}00 000000`,
      '1a00 0c00 02000000 00000000 00000000',
      '1d00 0400 03000000',
      '0100 0000',
    );
    assert.deepEqual(decodeEndpointData(payload, 'writer'), {
      guid: `${PREFIX}00000203`,
      kind: 'writer',
      topic: 'rt/a',
      type: 'Type',
      qos: { reliability: 'reliable', durability: 'transient-local', depth: 0 },
      policies: { reliable: true, durabilityKind: 3 },
      userData: undefined,
      locators: [],
    });
  });

  it('takes writers as reliable and readers as best effort where they do not say', () => {
    const payload = (entityId: string) =>
      bytes(
        '0002 0000',
        `005a 0010 ${PREFIX} ${entityId}`,
        '0005 0008 00000002 6100 0000',
        '0007 0008 00000002 6200 0000',
        '0001 0000',
      );
    assert.equal(decodeEndpointData(payload('00000203'), 'writer').qos.reliability, 'reliable');
    assert.equal(decodeEndpointData(payload('00000204'), 'reader').qos.reliability, 'best-effort');
  });

  it('is read as it was written', () => {
    const data = {
      guid: `${PREFIX}00000104`,
      topic: 'rt/chatter',
      type: 'std_msgs::msg::dds_::String_',
      qos: { reliability: 'reliable', durability: 'transient-local', depth: 5 },
      userData: Buffer.from('typehash=RIHS01_00;'),
    } as const;
    assert.deepEqual(decodeEndpointData(encodeEndpointData(data), 'reader'), {
      ...data,
      kind: 'reader',
      policies: { reliable: true, durabilityKind: 1 },
      locators: [],
    });
  });

  const guid = `5a00 1000 ${PREFIX} 00000203`;
  const names = '0500 0800 02000000 6100 0000 0700 0800 02000000 6200 0000';
  const broken: ReadonlyArray<[string, ...string[]]> = [
    ['no encapsulation', '0003'],
    ['plain CDR', '0001 0000', guid, names, '0100 0000'],
    ['no sentinel', '0003 0000', guid, names],
    ['no GUID', '0003 0000', names, '0100 0000'],
    ['a short GUID', '0003 0000', `5a00 0c00 ${PREFIX}`, names, '0100 0000'],
    ['no names', '0003 0000', guid, '0100 0000'],
    [
      'a string longer than its parameter',
      '0003 0000',
      guid,
      names.replace('02000000', 'ff000000'),
      '0100 0000',
    ],
    [
      'a string of four billion octets',
      '0003 0000',
      guid,
      names.replace('02000000', 'ffffffff'),
      '0100 0000',
    ],
    ['the GUID of a reader', '0003 0000', guid.replace('00000203', '00000204'), names, '0100 0000'],
    ['a short reliability', '0003 0000', guid, names, '1a00 0000', '0100 0000'],
  ];
  for (const [name, ...parts] of broken)
    it(`is refused with ${name}`, () => {
      assert.throws(() => decodeEndpointData(bytes(...parts), 'writer'), MalformedError);
    });

  it('is refused with more to keep than one endpoint may ask for', () => {
    const data = {
      guid: `${PREFIX}00000203`,
      topic: 'a',
      type: 'b',
      qos: { reliability: 'reliable', durability: 'volatile', depth: 1 },
      userData: undefined,
    } as const;
    const long = 'x'.repeat(1025);
    for (const excess of [{ topic: long }, { type: long }, { userData: Buffer.alloc(16 * 1024 + 1) }])
      assert.throws(
        () => decodeEndpointData(encodeEndpointData({ ...data, ...excess }), 'writer'),
        MalformedError,
      );
  });
});

describe('a disposal', () => {
  const guid = `${PREFIX}00000203`;

  it('names the endpoint by its key, or by the hash where the key is left out', () => {
    const { key, inlineQos } = encodeDisposal(Pid.endpointGuid, guid);
    const qos = ParameterList.read(inlineQos, 0, inlineQos.length, true);
    assert.equal(qos.guid(Pid.keyHash), guid);
    assert.equal(qos.bytes(Pid.statusInfo, 4)?.toString('hex'), '00000003');
    assert.equal(decodeDisposal(Pid.endpointGuid, key, undefined), guid);
    assert.equal(decodeDisposal(Pid.endpointGuid, Buffer.alloc(0), guid), guid);
  });

  it('is refused when it names none', () => {
    assert.throws(() => decodeDisposal(Pid.endpointGuid, Buffer.alloc(0), undefined), MalformedError);
  });
});
