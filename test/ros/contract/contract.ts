import assert from 'node:assert/strict';
import { bridgeNodeName } from '../../../src/ros/bridge-node';
import type { RosBackend } from '../../../src/ros/ros-backend';
import { RtpsBackend } from '../../../src/ros/rtps-backend';
import { endingAfterEach } from '../../ending-after-each';
import { freshDomain } from '../../rtps/test-domain';
import type { PeerKind } from './peers';
import { REPEAT, repeat, request, say, serviceOptions, string, User, VOLATILE } from './user';
import { describeWithPeers } from './with-peers';

/** What every `RosBackend` does, whatever carries it, with programs of other people as its counterparts. */
export interface Contract {
  /** Of the backend, and what is special about it here. */
  name: string;
  backend(): RosBackend;
  /** IPv4 addresses of this machine; empty where the backend chooses the loopback interface by the range. */
  interfaces: readonly string[];
  peers: readonly PeerKind[];
}

/** Declares the suite for one backend. */
export function describeContract({ name, backend, interfaces, peers }: Contract): void {
  describe(`the contract of a ROS backend: ${name}`, function () {
    this.timeout(60_000);
    const keep = endingAfterEach();
    let domain: number;

    beforeEach(() => {
      domain = freshDomain();
    });

    async function open(
      through = backend(),
      {
        number = domain,
        nodeName = 'contract',
        bridgeId = nodeName,
        loopback = interfaces,
      }: { number?: number; nodeName?: string; bridgeId?: string; loopback?: readonly string[] } = {},
    ): Promise<User> {
      const user = keep(
        await through.openDomain({
          domain: number,
          range: 'localhost',
          interfaces: loopback,
          peers: [],
          nodeName,
          bridgeId,
        }),
      );
      return new User(user);
    }

    /** Another ROS node, by our own stack in this process. */
    const openOther = () => open(new RtpsBackend(), { nodeName: 'other', loopback: ['127.0.0.1'] });

    for (const kind of peers) describeWithPeers({ kind, backend, domain: () => domain, open, keep });

    it('knows the nodes of others with their endpoints, and shows its own', async () => {
      const user = await open();
      const other = await openOther();
      other.publisher('/of_other');
      user.publisher('/of_user');
      await user.until(() =>
        [...user.domain.nodes()].some(
          ({ name: found, endpoints }) => found === '/other' && endpoints.length > 0,
        ),
      );
      await other.until(() =>
        [...other.domain.nodes()].some(
          ({ name: found, endpoints }) => found === '/contract' && endpoints.length > 0,
        ),
      );
      const guids = [...user.domain.endpoints()].map(({ guid }) => guid);
      const node = [...user.domain.nodes()].find(({ name: found }) => found === '/other');
      assert.ok(node?.endpoints.some((guid) => guids.includes(guid)));
    });

    it('knows the bridges of others, and what is theirs', async () => {
      const user = await open(backend(), { nodeName: bridgeNodeName('a-1'), bridgeId: 'a-1' });
      const other = await open(new RtpsBackend(), {
        nodeName: bridgeNodeName('b_2'),
        bridgeId: 'b_2',
        loopback: ['127.0.0.1'],
      });
      const ownersOf = (at: User, rosName: string) =>
        [...at.domain.endpoints(rosName)].map(({ guid }) => at.domain.bridgesOf(guid));
      user.publisher('/of_user');
      other.publisher('/of_other');
      await user.until(() => user.domain.bridges().size > 0 && ownersOf(user, '/of_other').length > 0);
      await other.until(() => other.domain.bridges().size > 0 && ownersOf(other, '/of_user').length > 0);
      assert.deepEqual([[...user.domain.bridges()], [...other.domain.bridges()]], [['b_2'], ['a-1']]);
      assert.deepEqual([ownersOf(user, '/of_other'), ownersOf(other, '/of_user')], [[['b_2']], [['a-1']]]);
      await other.domain.close();
      await user.until(() => user.domain.bridges().size === 0);
    });

    it('carries the samples of one user to the other, with the way they came', async () => {
      const shared = backend();
      const [one, two] = [await open(shared), await open(shared, { nodeName: 'second' })];
      const ways: Array<readonly string[] | undefined> = [];
      two.domain.createSubscription(
        {
          rosName: '/between',
          type: 'std_msgs/msg/String',
          typeHash: string.typeHash,
          qos: VOLATILE,
          onIncompatible: () => {},
        },
        ({ via }) => {
          ways.push(via);
          two.changed();
        },
      );
      const publisher = one.publisher('/between');
      const timer = setInterval(() => publisher.publish(say('hello'), ['far', 'contract']), REPEAT);
      await two.until(() => ways.length > 0).finally(() => clearInterval(timer));
      assert.deepEqual(ways[0], ['far', 'contract']);
      assert.deepEqual([...one.domain.bridges()], ['second']);
    });

    it('gives a subscription nothing once it is closed', async () => {
      const shared = backend();
      const [one, two] = [await open(shared), await open(shared, { nodeName: 'second' })];
      const heard = { open: 0, closed: 0 };
      const subscribe = (heardBy: () => void) =>
        two.domain.createSubscription(
          {
            rosName: '/closing',
            type: 'std_msgs/msg/String',
            typeHash: string.typeHash,
            qos: VOLATILE,
            onIncompatible: () => {},
          },
          () => {
            heardBy();
            two.changed();
          },
        );
      subscribe(() => heard.open++);
      const closing = subscribe(() => heard.closed++);
      const publisher = one.publisher('/closing');
      const timer = setInterval(() => publisher.publish(say('hello'), []), REPEAT);
      await two.until(() => heard.closed > 0).finally(() => clearInterval(timer));
      publisher.publish(say('last'), []);
      closing.close();
      const before = { ...heard };
      publisher.publish(say('after'), []);
      await two.until(() => heard.open >= before.open + 2);
      assert.equal(heard.closed, before.closed);
    });

    it('says of a call that nobody serves that it is unavailable', async () => {
      const user = await open();
      const client = user.domain.createServiceClient(serviceOptions('/nobody'));
      await assert.rejects(client.call(request.encode({ a: 1, b: 2 }), 300), {
        name: 'ServiceError',
        status: 'unavailable',
      });
    });

    it('opens a domain again that was closed', async () => {
      const shared = backend();
      const other = await openOther();
      const heard = other.hear('/again');
      for (const text of ['first', 'second']) {
        const user = await open(shared);
        await repeat(user.publisher('/again'), text, other.hasHeard(heard, text));
        await user.domain.close();
        await other.misses('publisher', '/again');
      }
    });
  });
}
