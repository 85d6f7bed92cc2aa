import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { EndpointData } from '../../src/rtps/endpoint-data';
import { LivelinessKind, policiesOf } from '../../src/rtps/qos';
import { WriterLiveliness } from '../../src/rtps/writer-liveliness';
import { announced, RELIABLE, STRING } from './fixture';

const PREFIX = '01fe00000000000000000001';
const GUID = `${PREFIX}00000103`;

describe('the liveliness of a writer', () => {
  const news = new EventEmitter();
  let seen = 0;
  let liveliness: WriterLiveliness;
  beforeEach(() => {
    seen = 0;
    liveliness = new WriterLiveliness({
      livelinessChanged: (guid, alive) => news.emit(alive ? 'alive' : 'lost', guid),
      lastSeen: () => seen,
    });
  });
  afterEach(() => {
    liveliness.close();
    news.removeAllListeners();
  });

  const writer = (
    kind: EndpointData['qos']['liveliness'] & string,
    livelinessLease: number,
  ): EndpointData => {
    const qos = { ...RELIABLE, liveliness: kind, livelinessLease };
    return {
      guid: GUID,
      kind: 'writer',
      topic: 'a',
      type: STRING,
      qos: announced(qos),
      policies: policiesOf('writer', qos),
      userData: undefined,
      locators: [],
    };
  };
  /** Whether what `act` does makes it alive again. */
  const revives = (act: () => void): boolean => {
    let alive = false;
    news.once('alive', () => (alive = true));
    act();
    news.removeAllListeners('alive');
    return alive;
  };

  for (const kind of ['automatic', 'manual-by-participant', 'manual-by-topic'] as const)
    it(`is lost after its lease, and back when it writes (${kind})`, async () => {
      liveliness.watch(writer(kind, 20));
      assert.deepEqual(await once(news, 'lost'), [GUID]);
      assert.ok(revives(() => liveliness.asserted(GUID)));
      assert.deepEqual(await once(news, 'lost'), [GUID]);
    });

  it('is shown by a word of its participant, for its kind alone', async () => {
    const { automatic, manualByParticipant } = LivelinessKind;
    liveliness.watch(writer('manual-by-participant', 20));
    await once(news, 'lost');
    assert.ok(!revives(() => liveliness.participantAsserted(PREFIX, automatic)));
    assert.ok(!revives(() => liveliness.participantAsserted(PREFIX.replace('1', '2'), manualByParticipant)));
    assert.ok(revives(() => liveliness.participantAsserted(PREFIX, manualByParticipant)));
    await once(news, 'lost');
    liveliness.watch(writer('manual-by-topic', 20));
    assert.ok(!revives(() => liveliness.participantAsserted(PREFIX, manualByParticipant)));
  });

  it('is shown by all that its participant sends where it is automatic, and not where it is manual', async () => {
    liveliness.watch(writer('automatic', 20));
    await once(news, 'lost');
    const alive = once(news, 'alive');
    seen = Number.POSITIVE_INFINITY;
    await alive;
    const lost = once(news, 'lost');
    liveliness.watch(writer('manual-by-topic', 20));
    await lost;
  });

  it('is not watched without a lease, nor of a writer that is matched no more', async () => {
    liveliness.watch(writer('automatic', Number.POSITIVE_INFINITY));
    assert.ok(!revives(() => liveliness.asserted(GUID)));
    liveliness.watch(writer('automatic', 20));
    await once(news, 'lost');
    liveliness.unwatch(GUID);
    assert.ok(!revives(() => liveliness.asserted(GUID)));
  });
});
