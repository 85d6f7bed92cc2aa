import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RclnodejsBackend } from '../../src/ros/rclnodejs-backend';
import { endpoint, SERVICE, StandInDomains, taken } from './stand-in-domains';

describe('The rclnodejs backend, where one end does not keep up', function () {
  this.timeout(60_000);
  const domains = StandInDomains.forSuite();

  it('bounds what waits for a process that does not take it', async () => {
    const made = domains.environment();
    const opened = await domains.open(new RclnodejsBackend(made.setupFile));
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    const publisher = opened.domain.createPublisher(endpoint('/big'));
    const file = join(made.folder, 'go-on');
    opened.command(`wait-for-file ${file}`);
    const megabyte = Buffer.alloc(1024 * 1024);
    let published = 0;
    assert.throws(
      () => {
        for (; published < 1000; published++) publisher.publish(megabyte, []);
      },
      { name: 'ProcessBusyError', message: /^\d+ bytes wait for the rclnodejs process already$/ },
    );
    assert.ok(published >= 16 && published < 40, `${published} MB were taken`);
    writeFileSync(file, '');
    heard.length = 0;
    await taken(() => opened.command('publish /chatter again'));
    await opened.until(() => heard.includes('again'));
  });

  it('bounds what waits for the bridge, and counts what it drops', async () => {
    const opened = await domains.open();
    const sizes: number[] = [];
    const lost = { '/big': 0, '/chatter': 0 };
    const onLost = (rosName: keyof typeof lost) => (count: number) => {
      lost[rosName] += count;
    };
    opened.domain.createSubscription(endpoint('/big', { onLost: onLost('/big') }), ({ payload }) => {
      sizes.push(payload.length);
      opened.changed();
    });
    // A further greeting may come behind the flood.
    const heard = opened.listen('/chatter', { onLost: onLost('/chatter') });
    await opened.heard(heard, '/chatter');
    opened.command(`flood /big 100 ${1024 * 1024}`);
    await opened.until(() => opened.warnings.length > 0);
    assert.equal(
      opened.warnings[0],
      `${lost['/big'] + lost['/chatter']} messages were dropped: the bridge did not keep up with rclnodejs`,
    );
    await opened.until(() => sizes.length + lost['/big'] === 100);
    assert.ok(sizes.length >= 16 && sizes.every((size) => size === 1024 * 1024), String(sizes.length));
  });

  it('drops what is larger than the bridge takes, counts it, and answers the call that it is the reply of', async () => {
    const opened = await domains.open(undefined, { maxSampleBytes: 1000 });
    let lost = 0;
    const onLost = (count: number) => {
      lost += count;
      opened.changed();
    };
    const heard = opened.listen('/chatter', { onLost });
    await opened.heard(heard, '/chatter');
    opened.command(`publish /chatter ${'x'.repeat(900)}`);
    opened.command('flood /chatter 2 1001');
    const client = opened.domain.createServiceClient({ ...SERVICE, rosName: '/double' });
    opened.command('serve');
    await assert.rejects(client.call(Buffer.alloc(1000), 20_000), {
      status: 'unavailable',
      message: 'service /double: the reply: larger than 1000 bytes',
    });
    await opened.until(() => opened.warnings.length > 0);
    assert.equal(lost, 2);
    assert.deepEqual(opened.warnings, ['2 messages were dropped: larger than 1000 bytes']);
    assert.ok(heard.includes('x'.repeat(900)));
  });

  it('says that messages may have been lost when as many waited as are kept', async () => {
    const opened = await domains.open();
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    heard.length = 0;
    opened.command('publish-many /chatter 1200');
    await opened.until(() => heard.includes('1199') && opened.warnings.length > 0);
    assert.deepEqual(opened.warnings, [
      '/chatter: 1000 messages waited for rclnodejs, and some may have been lost',
    ]);
    assert.deepEqual(heard.filter((text) => /^\d+$/.test(text)).map(Number), [...Array(1200).keys()]);
  });
});
