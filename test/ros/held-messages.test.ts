import assert from 'node:assert/strict';
import { readBuffer } from '../../src/client/lent-bytes';
import type { BridgeSubscriptionListener, RouteConnection } from '../../src/ros/bridge-connection';
import type { BridgeSettings, RouteSettings } from '../../src/ros/bridge-settings';
import { BridgeTopics, mappingOf } from '../../src/ros/bridge-topics';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import type { KnownBridges } from '../../src/ros/known-bridges';
import { LearnedTypes } from '../../src/ros/learned-types';
import { MessageCodec } from '../../src/ros/message-codec';
import { RouteTable } from '../../src/ros/route-table';
import { Standby } from '../../src/ros/standby';
import { STRING, Watch } from './bridge-fixture';
import { Bridges } from './bridges';

const ADD = 'example_interfaces/srv/AddTwoInts';
const library = InterfaceLibrary.bundled();
const codec = (type: string) => MessageCodec.for(library, type);

describe('a message that comes before it is known which bridge carries it', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();

  /** Routes at a broker that has not sent back yet what the bridge has said of itself. */
  const start = async (route: Partial<RouteSettings>) => {
    const { domain } = bridges;
    const ros = await bridges.ros();
    const other = await bridges.ros();
    const watch = new Watch();
    const sent: string[] = [];
    const reported: string[] = [];
    const listeners = new Map<string, Map<BridgeSubscriptionListener, { lent?: boolean }>>();
    const connection: RouteConnection = {
      connected: true,
      onStatus: () => () => {},
      stored: async () => undefined,
      publish: ({ topic, payload }, settled) => {
        sent.push(`${topic}=${payload}`);
        settled();
        watch.changed();
      },
      subscribe: (filter, listener, options = {}) => {
        const all = listeners.get(filter) ?? new Map();
        listeners.set(filter, all.set(listener, options));
        return { granted: true, close: () => all.delete(listener) };
      },
    };
    const known = {
      ...{ connected: true, settled: false, online: new Map(), carry: () => {}, lately: () => [] },
      told: (way: string) => way === 'mqtt-to-ros',
    };
    const standby = new Standby(
      { id: 'b', protocolVersion: 5 },
      known as unknown as KnownBridges,
      assert.fail,
    );
    standby.addDomain(ros);
    const settings: BridgeSettings = {
      ...{
        id: 'b',
        prefix: 'ros',
        aliases: {},
        range: 'localhost',
        interfaces: [],
        peers: [],
        domains: [domain],
        routes: [],
      },
    };
    const table = new RouteTable({
      settings,
      topics: new BridgeTopics(mappingOf(settings), [domain]),
      library,
      learned: new LearnedTypes(),
      domains: new Map([[domain, ros]]),
      connection,
      standby,
      flowOutput: () => false,
      onSample: () => {},
      opened: () => {},
      closed: () => {},
      report: (problem) => reported.push(problem),
      tell: () => {},
      changed: () => watch.changed(),
    });
    bridges.keep({
      close: async () => {
        table.close();
        standby.close();
      },
    });
    const name = { domain, rosName: '/x', type: '', direction: 'mqtt-to-ros' } as const;
    table.open({ ...name, ...route } as RouteSettings, 'route 1');
    ros.onGraphChange(() => {
      table.look();
      watch.changed();
    });
    return {
      ...{ other, watch, sent, reported, table },
      type: () => table.list()[0]?.type,
      counts: () => table.list()[0]?.counts,
      say: (filter: string, topic: string, payload: string) => {
        for (const [listener, { lent = false }] of [...(listeners.get(filter) ?? [])]) {
          const read = readBuffer();
          const bytes = read.subarray(0, read.write(payload));
          listener.message({ topic, payload: lent ? bytes : Buffer.from(bytes), retain: false, via: [] });
          read.fill(0);
        }
      },
      settle: () => {
        known.settled = true;
        standby.look();
      },
    };
  };

  it('is taken by the route that has the type, where that is found meanwhile: a request once', async () => {
    const { other, watch, sent, reported, type, counts, say, settle } = await start({ kind: 'service' });
    const topic = `ros/${bridges.domain}/x`;
    say(`${topic}/@req/#`, `${topic}/@req/1`, '{"a":1,"b":2}');
    const [request, response] = [codec(`${ADD}_Request`), codec(`${ADD}_Response`)];
    const hashes = { requestHash: request.typeHash, responseHash: response.typeHash };
    const asked: string[] = [];
    other.createServiceServer({ rosName: '/x', type: ADD, ...hashes }, async (cdr) => {
      asked.push(request.decodeToJson(cdr));
      return response.encode({ sum: 3 });
    });
    await watch.until(() => type() === ADD);
    assert.deepEqual(sent, []);
    settle();
    await watch.until(() => sent.length > 0);
    assert.deepEqual(sent, [`${topic}/@rep/1={"sum":3}`]);
    assert.deepEqual([asked, counts()?.mqttReceived, reported], [['{"a":1,"b":2}'], 1, []]);
  });

  it('is one of a thousand, and what is beyond is dropped and counted', async () => {
    const { say, counts, settle } = await start({ kind: 'topic', type: STRING });
    const topic = `ros/${bridges.domain}/x`;
    for (let count = 0; count <= 1000; count++) say(topic, topic, '{"data":"x"}');
    assert.deepEqual([counts()?.mqttReceived, counts()?.dropped], [1, { standby: 1 }]);
    settle();
    assert.deepEqual([counts()?.mqttReceived, counts()?.rosPublished], [1001, 1000]);
  });

  it('is told to the owner, where its route is removed: another bridge may answer it', async () => {
    const { sent, reported, table, say } = await start({ kind: 'service' });
    const topic = `ros/${bridges.domain}/x`;
    say(`${topic}/@req/#`, `${topic}/@req/1`, '{}');
    table.removeListed([{ kind: 'service', domain: bridges.domain, rosName: '/x' }]);
    assert.deepEqual(reported, [
      `/x: a request came at "${topic}/@req/1" and the route was closed before it was its turn`,
    ]);
    assert.deepEqual(sent, []);
  });

  it('goes on to a route of another type, where that of the topic changes', async () => {
    const { other, watch, type, counts, say, settle } = await start({ kind: 'topic' });
    const subscribe = (type: string) =>
      other.createSubscription(
        {
          ...{ rosName: '/x', type, typeHash: codec(type).typeHash },
          qos: { reliability: 'reliable', durability: 'volatile', depth: 10 },
          onIncompatible: () => {},
        },
        () => {},
      );
    const first = subscribe('std_msgs/msg/Int8');
    await watch.until(() => type() === 'std_msgs/msg/Int8');
    const topic = `ros/${bridges.domain}/x`;
    say(topic, topic, '{"data":"text"}');
    first.close();
    subscribe(STRING);
    await watch.until(() => type() === STRING);
    settle();
    assert.deepEqual([counts()?.mqttReceived, counts()?.rosPublished, counts()?.dropped], [1, 1, {}]);
  });
});
