import assert from 'node:assert/strict';
import { decodeEndpointData, encodeEndpointData } from '../../src/rtps/endpoint-data';
import { locatorOf } from '../../src/rtps/locator';
import { MalformedError } from '../../src/rtps/malformed-error';
import { ParameterList, ParameterListWriter, Pid } from '../../src/rtps/parameter-list';
import {
  ALL_BUILTIN_ENDPOINTS,
  decodeDisposal,
  decodeParticipantData,
  encodeDisposal,
  encodeParticipantData,
} from '../../src/rtps/participant-data';
import { type EndpointQos, policiesOf } from '../../src/rtps/qos';
import { decodeQos, encodeQos } from '../../src/rtps/qos-parameters';
import { announced } from './fixture';

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
      builtinEndpoints: 0x3f,
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
    const qos = { reliability: 'reliable', durability: 'transient-local', depth: 0 } as const;
    assert.deepEqual(decodeEndpointData(payload, 'writer'), {
      guid: `${PREFIX}00000203`,
      kind: 'writer',
      topic: 'rt/a',
      type: 'Type',
      qos: announced(qos),
      policies: { ...policiesOf('writer', qos), durabilityKind: 3, destinationOrderKind: 0 },
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
      kind: 'reader',
      topic: 'rt/chatter',
      type: 'std_msgs::msg::dds_::String_',
      qos: { reliability: 'reliable', durability: 'transient-local', depth: 5 },
      userData: Buffer.from('typehash=RIHS01_00;'),
    } as const;
    assert.deepEqual(decodeEndpointData(encodeEndpointData(data), 'reader'), {
      ...data,
      qos: announced(data.qos),
      policies: policiesOf('reader', data.qos),
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
      kind: 'writer',
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

describe('the QoS of an endpoint', () => {
  const read = (kind: 'writer' | 'reader', ...parts: string[]) => {
    const list = bytes(...parts, '0100 0000');
    return decodeQos(ParameterList.read(list, 0, list.length, true), kind);
  };

  it('is read as it was written', () => {
    const qos: EndpointQos = {
      reliability: 'best-effort',
      durability: 'transient-local',
      depth: 7,
      deadline: 100,
      liveliness: 'manual-by-topic',
      livelinessLease: 1500.25,
      lifespan: 86_400_000,
      ownership: 'exclusive',
      ownershipStrength: -5,
      partitions: ['', 'a*', 'raum 1/küche'],
    };
    for (const kind of ['writer', 'reader'] as const) {
      const list = new ParameterListWriter();
      encodeQos(list, kind, policiesOf(kind, qos), qos.depth);
      const encoded = list.toInlineQos();
      const { policies, depth } = decodeQos(ParameterList.read(encoded, 0, encoded.length, true), kind);
      const expected = policiesOf(kind, qos);
      assert.deepEqual(policies, kind === 'writer' ? expected : { ...expected, ownershipStrength: 0 });
      assert.equal(depth, 7);
    }
  });

  it('is read as RTPS and XTypes lay it out', () => {
    const { policies, depth } = read(
      'writer',
      '1a00 0c00 01000000 00000000 9a999919',
      '1d00 0400 02000000',
      // Presentation: group, coherent and ordered.
      '2100 0800 02000000 01 01 0000',
      '2300 0800 02000000 00000080',
      '2700 0800 00000000 00000040',
      '1b00 0c00 02000000 03000000 00000000',
      '1f00 0400 01000000',
      '0600 0400 feffffff',
      '2500 0400 01000000',
      `2900 1800 02000000 06000000 ${text('robot')}00 0000 02000000 ${text('*')}00 0000`,
      '2b00 0800 0a000000 00000000',
      '4000 0800 00000000 05000000',
      '7300 0800 01000000 0200 0000',
    );
    assert.deepEqual(policies, {
      reliable: false,
      durabilityKind: 2,
      deadline: 2500,
      latencyBudget: 250,
      livelinessKind: 2,
      livelinessLease: 3000,
      exclusive: true,
      ownershipStrength: -2,
      destinationOrderKind: 1,
      presentation: { scope: 2, coherent: true, ordered: true },
      partitions: ['robot', '*'],
      representations: [2],
      lifespan: 10_000,
      validatesTypes: false,
    });
    assert.equal(depth, 5);
    const reader = read('reader', '7400 0800 0100 00 00 00 00 01 00');
    assert.equal(reader.policies.validatesTypes, true);
  });

  it('is the same span whichever way a stack rounds its fraction', () => {
    for (const fraction of ['9a999919', '99999919', '9b999919'])
      assert.equal(read('writer', `2300 0800 00000000 ${fraction}`).policies.deadline, 100);
  });

  it('is written so that a stack which cuts a fraction to nanoseconds reads it whole', () => {
    const list = new ParameterListWriter().duration(Pid.deadline, 400).toInlineQos();
    const value = ParameterList.read(list, 0, list.length, true).bytes(Pid.deadline, 8);
    assert.equal((BigInt(value?.readUInt32LE(4) ?? 0) * 1_000_000_000n) >> 32n, 400_000_000n);
  });

  for (const [name, part] of [
    ['more partitions than are taken', '2900 0400 41000000'],
    ['a partition longer than is taken', '2900 0800 01000000 02010000'],
    ['a partition longer than its parameter', '2900 0800 01000000 05000000'],
    ['four billion data representations', '7300 0400 ffffffff'],
    ['data representations beyond their parameter', '7300 0400 02000000'],
    ['a negative span', '2300 0800 ffffffff 00000000'],
  ] as const)
    it(`is refused with ${name}`, () => {
      assert.throws(() => read('writer', part), MalformedError);
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
