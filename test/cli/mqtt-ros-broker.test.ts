import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectAsync } from 'mqtt';
import { stringify } from 'yaml';
import { helpText } from '../../src/cli/command-line';
import { MqttPeer } from '../broker/mqtt-peer';
import { PahoClient } from '../broker/paho-client';
import { CertificateAuthority } from '../certificates';
import { counterpart } from '../counterparts';
import { packageJson } from '../package/package-json';
import { RosPeer, STRING } from '../ros/bridge-fixture';
import { freshDomain } from '../rtps/test-domain';
import { BROKER_COMMAND, type CommandStart, CommandSuite, type LogLine } from './broker-command';

const execute = promisify(execFile);

/** Runs the command to its end, which must be near. */
function result(...options: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BROKER_COMMAND, ...options], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

describe('mqtt-ros-broker', function () {
  this.timeout(60_000);
  const suite = new CommandSuite();

  it('prints its settings, or the version of the package', () => {
    for (const option of ['--help', '-h']) {
      assert.deepEqual(result(option), { status: 0, stdout: helpText(), stderr: '' });
    }
    for (const option of ['--version', '-v']) {
      assert.deepEqual(result(option), { status: 0, stdout: `${packageJson.version}\n`, stderr: '' });
    }
  });

  for (const [content, options, status, complaint] of [
    ['', ['--mqtt-prot', '1'], 2, /Unknown option '--mqtt-prot'/],
    ['mqtt: { port: !port 0 }', [], 2, /broker\.yaml: Unresolved tag: !port at line 1/],
    ['', ['--log-file', '/nowhere/broker.log'], 2, /the log file cannot be opened: ENOENT/],
    [
      'access: { rules: [{ access: allow, who: user, action: any, filter: "#" }] }',
      [],
      2,
      /access rule 1: the name of the user is missing/,
    ],
    ['upstreams: [{ name: a/b, url: "mqtt://site", routes: [] }]', [], 2, /"a\/b" is not one topic level/],
    [
      '',
      ['--mqtt-host', '0.0.0.0'],
      3,
      /open to other .*; see --mqtt-host, --enable-auth, --allow-anonymous$/m,
    ],
    [
      '',
      ['--http-host', '0.0.0.0', '--http-port', '0'],
      3,
      /open to other .* a token.*; see --http-host, BROKER_HTTP_TOKEN$/m,
    ],
    [
      'tls: { certFile: /nowhere, keyFile: /nowhere }',
      ['--enable-tls'],
      3,
      /ENOENT.*; see BROKER_TLS_CERT_FILE, /,
    ],
    ['gateway: { brokers: [{ id: site, name: site }] }', [], 2, /gateway: .*host/],
    [
      'gateway: { brokers: [{ id: broker, name: other, host: other }] }',
      [],
      2,
      /gateway: broker "broker" is there twice/,
    ],
    ['', ['--store', BROKER_COMMAND], 1, /mqtt-ros-broker\.js/],
  ] as const) {
    it(`ends with code ${status} and one line at ${[content, ...options].join(' ')}`, () => {
      const file = join(suite.directory, 'broker.yaml');
      writeFileSync(file, content);
      const { stdout, stderr, ...ended } = result(
        '--mqtt-port',
        '0',
        '--no-ws',
        ...((content + options).match(/http|gateway/) ? [] : ['--no-http']),
        '-c',
        file,
        ...options,
      );
      assert.equal(ended.status, status);
      // The gateway comes last.
      if (!options.join().includes('--http-host')) assert.equal(stdout, '');
      assert.match(stderr, /^mqtt-ros-broker: [^\n]+\n$/);
      assert.match(stderr, complaint);
    });
  }

  it('ends with code 3 where the port is in use, which stands in the log file too', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const log = join(suite.directory, 'broker.log');
    try {
      for (const [option, listener] of [
        ['mqtt', `listener tcp://127.0.0.1:${port}`],
        ['ws', `listener ws://127.0.0.1:${port}`],
        ['http', `the gateway cannot listen on 127.0.0.1 port ${port}`],
      ]) {
        const ports = ['mqtt', 'ws', 'http'].map((one) => `--${one}-port=${one === option ? port : 0}`);
        const { status, stderr } = result(...ports, '--log-file', log);
        assert.equal(status, 3);
        const said = `${listener}: the port is in use.*; see --${option}-host, --${option}-port`;
        assert.match(stderr, new RegExp(`^mqtt-ros-broker: ${said}\n$`));
      }
      const [line = ''] = readFileSync(log, 'utf8').split('\n');
      assert.match(JSON.parse(line).reason, /the port is in use/);
    } finally {
      server.close();
    }
  });

  it('reads options, variables, .env and the configuration file, each before the next', async () => {
    writeFileSync(join(suite.directory, 'broker.yaml'), 'log: { level: ERROR }\nmqtt: { keepAlive: 10 }\n');
    const variables = 'BROKER_CONFIG=broker.yaml\nBROKER_LOG_LEVEL=WARNING\nBROKER_MQTT_MAX_CONNECTIONS=5\n';
    writeFileSync(join(suite.directory, '.env'), variables);
    const { lines } = await suite.start({
      options: ['--log-level', 'DEBUG'],
      environment: { BROKER_LOG_LEVEL: 'INFO', BROKER_PASSWORD: 'hidden', BROKER_MAX_QUEUED_MESSAGES: '6' },
    });
    const settings = lines.find(({ msg }) => msg === 'settings');
    assert.deepEqual(
      [settings?.logLevel, settings?.maxQueued, settings?.maxConnections, settings?.keepAlive],
      ['DEBUG', 6, 5, 10],
    );
    assert.equal(settings?.password, '***');
    const warning = lines.find(({ level }) => level === 'warn')?.msg;
    assert.match(warning ?? '', /password are of no use: authentication is not enabled/);
  });

  it('tells MQTT 5 clients its limits, and keeps to them', async () => {
    const { port, logged } = await startLogging('INFO', {
      environment: {
        BROKER_MQTT_KEEPALIVE: '30',
        BROKER_MAX_MESSAGE_SIZE: '1024',
        BROKER_MQTT_MAX_CONNECTIONS: '1',
        BROKER_MAX_INFLIGHT_MESSAGES: '1',
        BROKER_MAX_QUEUED_MESSAGES: '2',
      },
    });
    const client = new MqttPeer(connect(port, '127.0.0.1'), 5);
    const { properties } = await client.connect({ clientId: 'limited', keepAlive: 60 });
    assert.deepEqual([properties.serverKeepAlive, properties.maximumPacketSize], [30, 1024]);
    const second = new MqttPeer(connect(port, '127.0.0.1'), 5);
    assert.equal(await second.next(), undefined);
    await logged('connection refused', '');

    await client.subscribe('a', { qos: 1 });
    for (let count = 1; count <= 4; count++) client.publish('a', `${count}`, { qos: 1, packetId: count });
    const payloads: string[] = [];
    for (let acknowledged = 0; acknowledged < 4; ) {
      const packet = await client.next();
      if (packet?.type === 'publish') payloads.push(String(packet.payload));
      else if (packet?.type === 'puback') acknowledged++;
    }
    // One under way, two that wait: the fourth was one too many.
    assert.deepEqual(payloads, ['1']);
    assert.equal((await logged('messages dropped', 'limited')).count, 1);
    await client.vanish();
  });

  it('carries a message from mosquitto_pub to mosquitto_sub, and logs who comes and goes', async function () {
    const subscriber = counterpart(this, 'mosquitto_sub');
    const publisher = counterpart(this, 'mosquitto_pub');
    const { port, logged } = await startLogging('DEBUG');
    const address = ['-h', '127.0.0.1', '-p', String(port), '-V', '5', '-q', '2', '-t', 'a/b'];
    await execute(publisher, [...address, '-i', 'publisher', '-r', '-m', 'before']);
    const received = spawn(subscriber, [...address, '-i', 'reader', '-C', '2'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let lines = '';
    for await (const chunk of received.stdout) {
      // The retained message says that the subscription stands.
      if (lines === '') await execute(publisher, [...address, '-m', 'after']);
      lines += String(chunk);
    }
    assert.equal(lines, 'before\nafter\n');
    const connected = await logged('client connected', 'reader');
    assert.deepEqual([connected.level, connected.protocolVersion], ['info', 5]);
    const subscribed = await logged('client subscribed', 'reader');
    assert.deepEqual([subscribed.level, subscribed.subscriptions], ['debug', [{ filter: 'a/b', qos: 2 }]]);
    const gone = await logged('client disconnected', 'reader');
    assert.equal(typeof gone.reason, 'string');
    assert.ok(Date.parse(gone.time) >= Date.parse(connected.time));
  });

  it('serves MQTT over WebSocket to Paho and MQTT.js', async function () {
    counterpart(this, 'paho');
    const started = await suite.start();
    const paho = new PahoClient();
    try {
      await paho.connect({ port: started.port, id: 'paho', version: 5, clean: true });
      await paho.subscribe('web', 1);
      const client = await connectAsync(`ws://127.0.0.1:${started.portOf('ws')}`, { protocolVersion: 5 });
      await client.publishAsync('web', 'page', { qos: 1 });
      assert.equal((await paho.expect('message')).payload, 'page');
      await client.endAsync();
      await paho.disconnect();
    } finally {
      await paho.kill();
    }
  });

  it('listens on the address of each of its options', async function () {
    // Elsewhere loopback has one address.
    if (process.platform !== 'linux') this.skip();
    const publisher = counterpart(this, 'mosquitto_pub');
    const hosts = { mqtt: '127.0.0.2', ws: '127.0.0.3', http: '127.0.0.4' };
    const options = Object.entries(hosts).flatMap(([kind, host]) => [`--${kind}-host`, host]);
    const started = await suite.start({ options });
    const { url } = await started.logged('listening', (line) => String(line.url).startsWith('http:'));
    await execute(publisher, ['-h', hosts.mqtt, '-p', String(started.port), '-t', 'a', '-m', 'b']);
    const client = await connectAsync(`ws://${hosts.ws}:${started.portOf('ws')}`);
    await client.endAsync();
    assert.equal(new URL(String(url)).hostname, hosts.http);
    const health = await fetch(`${url}/health`);
    assert.equal(health.status, 200);
    await health.body?.cancel();
  });

  it('lets nobody in without the password where it is to ask for one', async function () {
    const publisher = counterpart(this, 'mosquitto_pub');
    const { port, lines, logged } = await startLogging('INFO', {
      options: ['--enable-auth', '--no-http'],
      environment: { BROKER_USERNAME: 'ann', BROKER_PASSWORD: 'secret' },
    });
    const publish = (...login: string[]) =>
      execute(publisher, ['-h', '127.0.0.1', '-p', String(port), '-t', 'a', '-m', 'b', ...login]);
    await publish('-u', 'ann', '-P', 'secret');
    await assert.rejects(publish('-i', 'nobody'));
    await assert.rejects(publish('-u', 'ann', '-P', 'guess', '-i', 'guesser'));
    assert.equal((await logged('connection refused', 'nobody')).level, 'warn');
    const refused = await logged('connection refused', 'guesser');
    assert.equal(refused.reason, 'the user name or the password is wrong');
    assert.equal(JSON.stringify(lines).includes('secret'), false);
  });

  it('speaks TLS with the files of the settings, reads them again at SIGHUP, and knows clients by certificates', async function () {
    const authority = new CertificateAuthority(counterpart(this, 'openssl'));
    try {
      const server = authority.issue('server');
      const client = authority.issue('robot');
      const started = await suite.start({
        options: ['--enable-tls'],
        environment: {
          BROKER_TLS_CERT_FILE: server.certificate,
          BROKER_TLS_KEY_FILE: server.key,
          BROKER_TLS_CA_FILE: authority.certificate,
          BROKER_TLS_REQUIRE_CLIENT_CERTIFICATE: 'true',
        },
      });
      const tls = {
        ca: readFileSync(authority.certificate),
        cert: readFileSync(client.certificate),
        key: readFileSync(client.key),
      };
      for (const scheme of ['mqtts', 'wss']) {
        const clientId = `robot-${scheme}`;
        const connected = await connectAsync(`${scheme}://127.0.0.1:${started.portOf(scheme)}`, {
          ...tls,
          clientId,
        });
        await connected.endAsync();
        const line = await started.logged('client connected', (one) => one.clientId === clientId);
        assert.equal(line.username, 'robot');
        const withoutCertificate = { ca: tls.ca, clientId: `nobody-${scheme}`, reconnectPeriod: 0 };
        await assert.rejects(
          connectAsync(`${scheme}://127.0.0.1:${started.portOf(scheme)}`, withoutCertificate, false),
        );
      }
      started.signal('SIGHUP');
      assert.equal((await started.logged('log file and TLS files opened again')).listeners, 2);
    } finally {
      authority.remove();
    }
  });

  it('serves the gateway API to who shows the token, on its broker and those of the configuration file', async function () {
    const curl = counterpart(this, 'curl');
    const brokers = [{ id: 'site', name: 'the site', host: '127.0.0.1', port: 1 }];
    const yaml = { http: { token: 'from the file' }, gateway: { brokers } };
    writeFileSync(join(suite.directory, 'broker.yaml'), stringify(yaml));
    const started = await suite.start({
      options: ['-c', 'broker.yaml'],
      environment: { BROKER_HTTP_TOKEN: 'shown' },
    });
    const { url } = await started.logged('listening', (line) => String(line.url).startsWith('http:'));
    const call = async (path: string, ...more: string[]) => {
      const { stdout } = await execute(curl, ['-sS', '-w', '\n%{http_code}', ...more, `${url}${path}`]);
      const [body = '', status] = stdout.split('\n');
      return { status: Number(status), body: JSON.parse(body) };
    };
    assert.equal((await call('/brokers')).status, 401);
    const show = ['-H', 'Authorization: Bearer shown'];
    const listed = await call('/brokers', ...show);
    assert.equal(listed.status, 200);
    const ids = JSON.stringify(listed.body);
    for (const id of ['"broker"', '"site"']) assert.ok(ids.includes(`"broker_id":${id}`), ids);
    const health = await call('/health', ...show);
    assert.equal(health.body.version, packageJson.version);

    const client = new MqttPeer(connect(started.port, '127.0.0.1'), 5);
    await client.connect();
    await client.subscribe('from/http');
    const message = JSON.stringify({ broker_id: 'broker', topic: 'from/http', payload: { a: 1 } });
    await call('/publish', ...show, '-H', 'Content-Type: application/json', '-d', message);
    assert.equal(String((await client.expect('publish')).payload), '{"a":1}');
    client.stream.end();
    assert.equal(await started.stop(), 0);
  });

  it('tells the topics of ROS that are published to by their parts, unless it is not to', async () => {
    const client = (port: number) => new MqttPeer(connect(port, '127.0.0.1'), 5);
    const topics = [
      'ros/autonomous_vehicle/sensor_fusion/sensor_data',
      'home/door',
      'ros/7/robot1/camera/image_raw',
    ];
    const started = await suite.start();
    const publisher = client(started.port);
    await publisher.connect();
    for (const topic of [...topics, ...topics]) publisher.publish(topic, '{}');
    await started.logged('ROS topic', ({ domain }) => domain === '7');
    const found = started.lines.filter(({ msg }) => msg === 'ROS topic');
    assert.deepEqual(
      found.map(({ level, domain, node, messageType }) => [level, domain, node, messageType]),
      [
        ['info', 'autonomous_vehicle', 'sensor_fusion', 'sensor_data'],
        ['info', '7', 'robot1/camera', 'image_raw'],
      ],
    );
    // The last of them may still be under way, and are not read any more by a broker that stops.
    await publisher.expectNothing();
    publisher.stream.end();
    assert.equal(await started.stop(), 0);
    const { messagesReceived, topics: counted, rosTopics } = started.lines.at(-1) as LogLine;
    assert.deepEqual([messagesReceived, counted, rosTopics], [6, 3, 2]);

    const without = await suite.start({
      options: ['--no-ws', '--no-http'],
      environment: { BROKER_ENABLE_ROS_INTEGRATION: 'false' },
    });
    const other = client(without.port);
    await other.connect();
    for (const topic of topics) other.publish(topic, '{}');
    await other.expectNothing();
    other.stream.end();
    assert.equal(await without.stop(), 0);
    const said = without.lines.map(({ msg }) => msg);
    assert.equal(said.includes('ROS topic'), false);
    assert.equal(said.filter((msg) => msg === 'listening').length, 1);
    assert.deepEqual([without.lines.at(-1)?.topics, without.lines.at(-1)?.rosTopics], [3, undefined]);
  });

  it('runs the bridge of the configuration file, on topics with the prefix of the settings', async () => {
    const domain = freshDomain();
    const bridge = {
      domains: [domain],
      interfaces: ['127.0.0.1'],
      routes: [{ rosName: '/chatter', type: STRING }],
    };
    writeFileSync(join(suite.directory, 'broker.yaml'), stringify({ bridge }));
    const started = await suite.start({
      options: ['-c', 'broker.yaml'],
      environment: { BROKER_ROS_DOMAIN_PREFIX: 'fleet/ros/' },
    });
    const client = new MqttPeer(connect(started.port, '127.0.0.1'), 5);
    await client.connect();
    await client.subscribe(`fleet/ros/${domain}/chatter`);
    const robot = await RosPeer.start(domain);
    try {
      const { publish } = await robot.publisher('/chatter');
      await robot.listen('/chatter');
      await started.logged('bridge', ({ mqtt, carried }) => mqtt === 'connected' && carried === 1);
      publish({ data: 'from ROS' });
      assert.equal(String((await client.expect('publish')).payload), '{"data":"from ROS"}');
      // Nothing here shows when the bridge has found the subscription.
      await robot.repeat(
        () => client.publish(`fleet/ros/${domain}/chatter`, '{"data":"from MQTT"}'),
        () => robot.heard.length > 0,
      );
      assert.equal(robot.heard[0], '{"data":"from MQTT"}');
    } finally {
      await robot.stop();
    }
    client.stream.end();
    assert.equal(await started.stop(), 0);
  });

  async function startLogging(level: string, { options = [], ...rest }: CommandStart = {}) {
    const started = await suite.start({ options: ['--log-level', level, ...options], ...rest });
    const logged = (message: string, id: string) =>
      started.logged(message, ({ clientId }) => clientId === id);
    return { port: started.port, lines: started.lines, logged };
  }
});
