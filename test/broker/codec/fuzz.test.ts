import assert from 'node:assert/strict';
import { ProtocolError } from '../../../src/broker/codec/protocol-error';
import { PublishView } from '../../../src/broker/codec/publish-packet';
import { Random } from '../../random';
import { encodePacket } from './any-packet';
import { decodeChunks } from './decoding';
import { samples } from './sample-packets';

const ROUNDS = 20_000;

/** Decodes what may be anything, and says whether it was well-formed. */
function survives(bytes: Buffer, version: 4 | 5): boolean {
  try {
    decodeChunks([bytes], version);
    return true;
  } catch (error) {
    assert.ok(
      error instanceof ProtocolError,
      `${error} instead of a ProtocolError for ${bytes.toString('hex')}`,
    );
    return false;
  }
}

describe('decoding what nobody meant', () => {
  it('only ever fails with a ProtocolError on mutated packets', () => {
    const random = new Random(1);
    const encoded = samples.map(({ version, packet }) => ({
      version: version as 4 | 5,
      bytes: encodePacket(packet, version),
    }));
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { version, bytes } = random.pick(encoded);
      const mutated = Buffer.from(bytes);
      for (let changes = random.below(4); changes >= 0; changes--) {
        mutated[random.below(mutated.length)] = random.below(256);
      }
      if (!survives(mutated, version)) refused++;
    }
    assert.ok(refused > ROUNDS / 10 && refused < ROUNDS, `${refused} refused`);
  });

  it('only ever fails with a ProtocolError on random bytes of the right length', () => {
    const random = new Random(2);
    for (let round = 0; round < ROUNDS; round++) {
      const length = random.below(100);
      const bytes = Buffer.from(random.times(length + 2, () => random.below(256)));
      bytes[1] = length;
      survives(bytes, random.below(2) === 0 ? 4 : 5);
    }
  });

  it('parses PUBLISH in place exactly as it does into values', () => {
    const random = new Random(3);
    const seeds = samples
      .filter(({ packet }) => packet.type === 'publish')
      .map(({ version, packet }) => ({ version, bytes: encodePacket(packet, version) }));
    const view = new PublishView();
    let agreed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { version, bytes } = random.pick(seeds);
      const mutated = Buffer.from(bytes);
      const at = 3 + random.below(mutated.length - 3);
      mutated[at] = random.below(256);
      const lengthBytes = (mutated[1] as number) > 127 ? 2 : 1;
      let inPlace: string;
      try {
        view.parse(mutated, 0, 1 + lengthBytes, mutated.length, version === 5);
        inPlace = `${view.packetId} ${mutated.toString('latin1', view.payloadStart, view.payloadEnd)} ${view.messageExpiry} ${view.topicAlias}`;
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
        continue;
      }
      // The view leaves the topic name to whoever looks it up.
      if (!survives(mutated, version as 4 | 5)) continue;
      const [packet] = decodeChunks([mutated], version);
      assert.ok(packet?.type === 'publish');
      const { packetId, payload, properties } = packet;
      assert.equal(
        inPlace,
        `${packetId} ${payload.toString('latin1')} ${properties.messageExpiryInterval ?? -1} ${properties.topicAlias ?? 0}`,
      );
      agreed++;
    }
    assert.ok(agreed > ROUNDS / 10, `${agreed} agreed`);
  });
});
