import assert from 'node:assert/strict';
import { NO_FELLOWS } from '../../src/ros/fellow-bridges';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MatchingPublisher, type PublishingDomain } from '../../src/ros/matching-publisher';
import { MessageCodec } from '../../src/ros/message-codec';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { freshDomain } from '../rtps/test-domain';
import { RELIABLE, RosPeer, STRING, Watch } from './bridge-fixture';

describe('MatchingPublisher', function () {
  this.timeout(60_000);
  const codec = MessageCodec.for(InterfaceLibrary.bundled(), STRING);

  for (const canForget of [true, false]) {
    const where = canForget ? 'can forget' : 'cannot forget, and others take their place';
    it(`keeps nothing for later subscriptions that has expired, with publishers that ${where}`, () =>
      keepsNothingExpired(canForget));
  }

  it('has a volatile publisher forget nothing: it keeps that for those who have yet to receive it', () => {
    const made = { publish: () => {}, close: () => {}, forget: () => assert.fail('forgets') };
    const publisher = new MatchingPublisher(
      { endpoints: () => [], onGraphChange: () => () => {}, createPublisher: () => made },
      {
        ...{ rosName: '/chatter', type: STRING, typeHash: codec.typeHash, fellows: NO_FELLOWS },
        chosen: { durability: 'volatile' },
        onIncompatible: () => undefined,
        onProblem: () => undefined,
        onDeadlineMissed: () => undefined,
        onQosChange: () => undefined,
      },
    );
    publisher.open();
    publisher.publish(codec.encode({ data: 'on its way' }), ['b1']);
    publisher.forget();
    publisher.close();
  });

  async function keepsNothingExpired(canForget: boolean): Promise<void> {
    const place = {
      domain: freshDomain(),
      range: 'localhost',
      interfaces: ['127.0.0.1'],
      peers: [],
    } as const;
    const domain = await new RtpsBackend().openDomain({ ...place, nodeName: 'node', bridgeId: 'b1' });
    const watch = new Watch();
    let forgotten = 0;
    const watched: PublishingDomain = {
      endpoints: (rosName) => domain.endpoints(rosName),
      onGraphChange: (listener, rosName) => domain.onGraphChange(listener, rosName),
      createPublisher: (options) => {
        const made = domain.createPublisher(options);
        const forgets = (by: (() => void) | undefined) => () => {
          by?.();
          forgotten++;
          watch.changed();
        };
        return canForget
          ? { ...made, forget: forgets(made.forget) }
          : { publish: made.publish, close: forgets(made.close) };
      },
    };
    const publisher = new MatchingPublisher(watched, {
      rosName: '/chatter',
      type: STRING,
      typeHash: codec.typeHash,
      chosen: { durability: 'transient-local', depth: 10 },
      fellows: NO_FELLOWS,
      onIncompatible: () => undefined,
      onProblem: () => undefined,
      onDeadlineMissed: () => undefined,
      onQosChange: () => undefined,
    });
    publisher.open();
    publisher.publish(codec.encode({ data: 'old' }), ['b1'], 0.001);
    await watch.until(() => forgotten === 1);
    publisher.publish(codec.encode({ data: 'new' }), ['b1']);
    const peer = await RosPeer.start(place.domain);
    await peer.listen('/chatter', STRING, { ...RELIABLE, durability: 'transient-local' });
    await peer.until(() => peer.heard.length > 0);
    assert.deepEqual(peer.heard, ['{"data":"new"}']);
    publisher.close();
    await peer.stop();
    await domain.close();
  }
});
