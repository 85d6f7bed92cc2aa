import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import type { EndpointQos } from '../../src/rtps/qos';
import { Inbox } from '../client/observed';
import { RELIABLE, route, STRING } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const LATCHED: EndpointQos = { ...RELIABLE, durability: 'transient-local' };

describe('state that the broker has stored', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();

  /** A bridge with routes both ways, whose id is its client's. */
  const open = (id: string, names: string[]) =>
    bridges.open({
      id,
      mqtt: bridges.mqtt({ clientId: id, reconnect: { first: 20, longest: 50 } }),
      routes: names.map((rosName) => route(bridges.domain, { rosName })),
    });
  /** Has its bridge connect anew. */
  const interrupt = async (id: string) => {
    const connects = new RegExp(`New client connected from .* as ${id} `);
    const before = bridges.mosquitto.log.filter((line) => connects.test(line)).length;
    const other = await mqtt.connectAsync(bridges.url, {
      protocolVersion: 5,
      clientId: id,
      reconnectPeriod: 0,
    });
    other.end(true);
    await bridges.mosquitto.logged(connects, before + 2);
  };
  const clear = (...names: string[]) =>
    Promise.all(names.map((name) => bridges.say(`ros/${bridges.domain}${name}`, '', undefined, true)));

  it('goes back to ROS once, and only when its publisher has gone, though the bridge that brought it has ended', async () => {
    const names = ['/map', '/gone'];
    const a = await open('a', names);
    await a.ready();
    const b = await open('b', names);
    await b.ready({ publishers: 1, subscriptions: 1 });
    const inbox = await Inbox.on(bridges.client, `ros/${bridges.domain}/+`);
    const [staying, leaving, late] = [await bridges.peer(), await bridges.peer(), await bridges.peer()];
    const map = await staying.publisher('/map', STRING, LATCHED);
    const gone = await leaving.publisher('/gone', STRING, LATCHED);
    map.publish({ data: 'the map' });
    gone.publish({ data: 'the last' });
    await inbox.until(({ texts }) => texts.length >= 2);
    await late.listen('/map', STRING, LATCHED);
    await b.until(() => b.route(0)?.offered?.durability === 'transient-local');
    await a.close();
    await leaving.stop();
    await b.until(() => b.route(0)?.standby === undefined && b.route(1)?.publishers === 0);
    const counts = (index: number) => b.route(index)?.counts;
    const echoes = (index: number) => counts(index)?.dropped.echo ?? 0;
    // Whoever connects anew knows nothing of a bridge that has ended.
    const before = echoes(0);
    await interrupt('b');
    await b.until(() => echoes(0) > before);
    await late.listen('/gone', STRING, LATCHED);
    await b.until(() => counts(1)?.rosPublished === 1);
    await interrupt('b');
    await b.until(() => echoes(1) > 0);
    await late.until(() => late.heard.length >= 2);
    assert.deepEqual([counts(0)?.rosPublished, counts(1)?.rosPublished], [0, 1]);
    assert.deepEqual(late.heard, ['{"data":"the map"}', '{"data":"the last"}']);
    await clear(...names);
  });
});
