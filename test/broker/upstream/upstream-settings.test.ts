import assert from 'node:assert/strict';
import { BrokerThread } from '../../../src/broker/broker-thread';
import { echoingRoutes, type UpstreamRoute } from '../../../src/broker/upstream/upstream-route';
import { type UpstreamSettings, upstreamFault } from '../../../src/broker/upstream/upstream-settings';
import { everything, upstreamTo } from './joined-broker';

const fault = (settings: Partial<UpstreamSettings>) => upstreamFault(upstreamTo(1883, settings));
const routeFault = (route: Partial<UpstreamRoute>) => fault({ routes: [{ ...everything, ...route }] });

describe('the settings of an upstream', () => {
  it('are fine as they are', () => assert.equal(fault({}), undefined));

  for (const [settings, expected] of [
    [{ name: 'a/b' }, /name "a\/b" is not one topic level/],
    [{ name: '' }, /not one topic level/],
    [{ url: 'http://127.0.0.1' }, /starts with http:, expected mqtt:/],
    [{ url: 'mqtt://user:secret@127.0.0.1' }, /credentials, which belong in/],
    [{ clientId: '' }, /client id is empty/],
    [{ keepAlive: 0 }, /keep alive is 0/],
    [{ routes: [] }, /there is no route/],
    [{ tls: {} }, /is not secure/],
  ] as const) {
    it(`are refused with ${JSON.stringify(settings)}`, () => {
      assert.match(fault(settings as Partial<UpstreamSettings>) ?? '', expected);
      assert.doesNotMatch(fault(settings as Partial<UpstreamSettings>) ?? '', /secret@(?!127)/);
    });
  }

  for (const [route, expected] of [
    [{ filter: 'a/#/b' }, /# must be alone in the last level/],
    [{ filter: '' }, /empty/],
    [{ localPrefix: 'a/+' }, /prefix: .* wildcard/],
    [{ remotePrefix: '#' }, /prefix: .* wildcard/],
    [{ filter: '$share/group/a' }, /shared subscriptions cannot be joined/],
    [{ filter: 'group/a', remotePrefix: '$share' }, /shared subscriptions cannot be joined/],
    [{ filter: '$SYS/#' }, /cannot be published below \$SYS/],
    [{ filter: '#', localPrefix: '$SYS' }, /cannot be published below \$SYS/],
  ] as const) {
    it(`are refused with the route ${JSON.stringify(route)}`, () => {
      assert.match(routeFault(route) ?? '', expected);
    });
  }

  it('may let $SYS out', () => {
    assert.equal(routeFault({ direction: 'out', filter: '$SYS/#', remotePrefix: 'site1' }), undefined);
  });

  it('are refused with routes in that overlap there', () => {
    const routes = [
      { ...everything, filter: 'a/#' },
      { ...everything, direction: 'in' as const, filter: 'b', remotePrefix: 'a' },
    ];
    assert.match(fault({ routes }) ?? '', /routes in of "a\/#" and "a\/b" there overlap/);
    assert.equal(fault({ routes: routes.map((one) => ({ ...one, direction: 'out' as const })) }), undefined);
  });

  it('tell which routes would bring back what they send', () => {
    assert.deepEqual(echoingRoutes([everything]), { out: 'shared/#', in: 'shared/#' });
    assert.deepEqual(
      echoingRoutes([
        { ...everything, direction: 'out', remotePrefix: 'a' },
        { ...everything, direction: 'in', remotePrefix: 'b' },
      ]),
      undefined,
    );
  });

  for (const [field, second] of [
    ['name', { clientId: 'another' }],
    ['clientId', { name: 'another', clientId: 'site-cloud' }],
  ] as const) {
    it(`must differ in the ${field}`, async () => {
      const thread = new BrokerThread({
        listeners: [],
        upstreams: [upstreamTo(1), upstreamTo(2, second)],
      });
      await assert.rejects(thread.start(), new RegExp(`two upstreams have the ${field}`));
      await thread.stop();
    });
  }
});
