import assert from 'node:assert/strict';
import mqtt, { type MqttClient } from 'mqtt';
import type { Node, NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import { FlowDecisions } from '../../nodes/embedded-decisions';
import { hashPassword, parsePasswordHash, scramVerifier } from '../../src/broker/access/password-hash';
import { freePort } from '../counterparts';
import {
  type Credentials,
  embeddedForm,
  errorOf,
  type FlowNode,
  logged,
  report,
  Sink,
  sink,
  start,
  statusText,
  stop,
  tab,
} from './flow';

/** MQTT 5.0 section 2.4 */
const BAD_USER_NAME_OR_PASSWORD = 0x86;
const NOT_AUTHORIZED = 0x87;

describe('access to the embedded-broker', function () {
  this.timeout(60_000);
  let port: number;
  let hashOfAnna: string;
  let verifierOfBert: string;
  const open: MqttClient[] = [];

  before(async () => {
    hashOfAnna = await hashPassword('open sesame');
    verifierOfBert = await scramVerifier('let me in');
  });
  beforeEach(async () => {
    port = await freePort();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.endAsync(true)));
    await stop();
  });

  const user = (name: string, groups = '') => ({ name, groups, login: 'password', hasPassword: true });
  const flow = (fields: Partial<FlowNode>): FlowNode[] => [
    tab,
    embeddedForm({
      listeners: [{ kind: 'tcp', host: '127.0.0.1', port, path: '', origins: '', proxies: '' }],
      persistence: 'memory',
      anonymous: 'in-process',
      outputs: 2,
      wires: [['events-1'], ['questions-1']],
      ...fields,
    }),
    report('catch', 'embedded-1', 'faults'),
    report('complete', 'embedded-1', 'completed'),
    ...['events-1', 'questions-1', 'faults', 'completed'].map((id) => sink(id)),
  ];
  const run = async (fields: Partial<FlowNode>, credentials: Record<string, string> = {}) => {
    await start(flow(fields), { 'embedded-1': credentials } satisfies Credentials);
    return statusText('embedded-1', (text) => text !== 'starting');
  };
  const passwords = () => ({ passwords: JSON.stringify({ anna: hashOfAnna, bert: verifierOfBert }) });
  const login = async (username?: string, password?: string | Buffer, clientId = 'c') => {
    const client = await mqtt.connectAsync(
      `mqtt://127.0.0.1:${port}`,
      {
        protocolVersion: 5,
        clientId,
        reconnectPeriod: 0,
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password: password as string }),
      },
      false,
    );
    open.push(client);
    return client;
  };
  const refused = (code: number) => (error: { code?: number }) => error.code === code;

  it('lets users in with their passwords alone, and tells who was refused', async () => {
    await run({ accessUsers: [user('anna'), user('bert')] }, passwords());
    const events = new Sink('events-1');
    await login('anna', 'open sesame', 'a');
    await login('bert', 'let me in', 'b');
    await assert.rejects(login('anna', 'let me in', 'c'), refused(BAD_USER_NAME_OR_PASSWORD));
    await assert.rejects(login('carl', 'open sesame', 'd'), refused(BAD_USER_NAME_OR_PASSWORD));
    await assert.rejects(login(undefined, undefined, 'e'), refused(NOT_AUTHORIZED));
    await events.until(5);
    assert.deepEqual(
      events.messages.map(({ topic, payload }) => [topic, (payload as { clientId: string }).clientId]),
      [
        ['connected', 'a'],
        ['connected', 'b'],
        ['refused', 'c'],
        ['refused', 'd'],
        ['refused', 'e'],
      ],
    );
    const { reason } = events.payloads[2] as { reason: string };
    assert.match(reason, /user name or the password is wrong/);
  });

  it('needs no password from this machine by default, but no wrong one either', async () => {
    await run({ anonymous: undefined, accessUsers: [user('anna')] }, passwords());
    await login();
    await assert.rejects(login('anna', 'guess'), refused(BAD_USER_NAME_OR_PASSWORD));
  });

  it('says which users of a copied node have no password, and serves the others', async () => {
    const shown = await run(
      { accessUsers: [user('anna'), user('carl'), user('dora')] },
      { passwords: JSON.stringify({ anna: hashOfAnna }) },
    );
    assert.match(shown, /0 clients · no password: carl, dora$/);
    const [warning] = logged(helper.getNode('embedded-1'), 'warn');
    assert.match(warning ?? '', /cannot log in.*: carl, dora\. Open the node/);
    await login('anna', 'open sesame');
    await assert.rejects(login('carl', ''), refused(BAD_USER_NAME_OR_PASSWORD));
  });

  it('keeps everybody to the rules of their groups', async () => {
    await run(
      {
        accessUsers: [user('anna', 'operators, staff'), user('bert')],
        accessRules: [
          { access: 'allow', who: 'group', name: 'operators', action: 'any', filter: '#' },
          { access: 'allow', who: 'everybody', name: '', action: 'publish', filter: 'of/%u' },
        ],
        otherwise: 'deny',
      },
      passwords(),
    );
    const anna = await login('anna', 'open sesame', 'a');
    const bert = await login('bert', 'let me in', 'b');
    const heard: string[] = [];
    const last = new Promise<void>((resolve) =>
      anna.on('message', (topic) => {
        heard.push(topic);
        if (topic === 'end') resolve();
      }),
    );
    await anna.subscribeAsync('#');
    await assert.rejects(bert.subscribeAsync('of/bert'), /Not authorized/);
    await assert.rejects(bert.publishAsync('of/anna', '', { qos: 1 }), /Not authorized/);
    await bert.publishAsync('of/bert', '', { qos: 1 });
    await anna.publishAsync('end', '', { qos: 1 });
    await last;
    assert.deepEqual(heard, ['of/bert', 'end']);
  });

  it('opens an address of other machines where users can log in', async () => {
    const listeners = [{ kind: 'tcp', host: '0.0.0.0', port, path: '', origins: '', proxies: '' }];
    const shown = await run({ listeners, anonymous: 'local' });
    assert.match(shown, /would be open to other machines without a password.*add users/);
  });

  describe('when a flow decides', () => {
    let questions: Sink;
    let faults: Sink;
    let completed: Sink;

    const decide = async (fields: Partial<FlowNode> = {}) => {
      await run({ decide: true, ...fields });
      questions = new Sink('questions-1');
      faults = new Sink('faults');
      completed = new Sink('completed');
    };
    const question = async (index = 0) =>
      (await questions.until(index + 1))[index] as NodeMessage & { _decision: number };
    const answer = (msg: object, payload: unknown) =>
      (helper.getNode('embedded-1') as Node).receive({ ...msg, payload } as NodeMessage);

    it('asks it with all it knows, and lets in whom it allows, with the groups it names', async () => {
      await decide({
        accessRules: [{ access: 'allow', who: 'group', name: 'guests', action: 'publish', filter: 'hall' }],
      });
      const entering = login('gina', 'knock', 'g');
      const asked = await question();
      assert.equal(asked.topic, 'authenticate');
      const { address, ...known } = asked.payload as { address: string };
      assert.match(address, /^127\.0\.0\.1:\d+$/);
      assert.deepEqual(known, { clientId: 'g', username: 'gina', password: 'knock' });
      answer(asked, { allow: true, groups: ['guests'] });
      const gina = await entering;
      await gina.publishAsync('hall', '', { qos: 1 });
      await assert.rejects(gina.publishAsync('cellar', '', { qos: 1 }), /Not authorized/);
      assert.equal((await completed.until(1)).length, 1);
    });

    it('refuses whom it refuses, and gives a password that is no text as bytes', async () => {
      await decide();
      const bytes = Buffer.from([0xff, 0x00, 0x80]);
      const entering = assert.rejects(login('gina', bytes), refused(BAD_USER_NAME_OR_PASSWORD));
      const asked = await question();
      assert.deepEqual((asked.payload as { password: Buffer }).password, bytes);
      answer(asked, false);
      await entering;
    });

    it('asks about clients without a password too, but not about users of the list', async () => {
      await start(flow({ decide: true, accessUsers: [user('anna')] }), { 'embedded-1': passwords() });
      await statusText('embedded-1', (text) => text !== 'starting');
      questions = new Sink('questions-1');
      await login('anna', 'open sesame', 'a');
      await assert.rejects(login('anna', 'guess', 'b'), refused(BAD_USER_NAME_OR_PASSWORD));
      const entering = login(undefined, undefined, 'n');
      const asked = await question();
      assert.equal((asked.payload as { clientId: string }).clientId, 'n');
      answer(asked, true);
      await entering;
      assert.equal(questions.messages.length, 1);
    });

    it('refuses a client about which the flow says nothing in time, and the answer that comes then', async () => {
      await decide({ decisionTimeout: '1' });
      await assert.rejects(login('gina', 'knock'), refused(BAD_USER_NAME_OR_PASSWORD));
      answer(await question(), true);
      assert.match(errorOf((await faults.until(1))[0]), /No client waits for this answer/);
    });

    it('refuses an answer that is none, and keeps waiting', async () => {
      await decide();
      const entering = login('gina', 'knock');
      const asked = await question();
      const wrong = ['yes', { allow: 'yes' }, { allow: true, groups: 'guests' }, null, 1];
      for (const payload of wrong) answer(asked, payload);
      answer({ _decision: asked._decision + 1 }, true);
      answer({ _decision: String(asked._decision) }, true);
      await faults.until(wrong.length + 2);
      for (const [index, msg] of faults.messages.entries()) {
        assert.match(
          errorOf(msg),
          index < wrong.length ? /msg\.payload: expected true, false or/ : /No client waits/,
        );
      }
      answer(asked, true);
      await entering;
      answer(asked, true);
      assert.match(errorOf((await faults.until(wrong.length + 3)).at(-1)), /No client waits/);
      assert.equal(completed.messages.length, 1);
    });

    it('answers the oldest question with no when too many wait', () => {
      const answers: [number, boolean][] = [];
      const decisions = new FlowDecisions(60_000, (id, { allow }) => answers.push([id, allow]));
      for (let id = 1; id <= 10_001; id++) decisions.ask({ id, clientId: 'c', address: '' });
      decisions.close();
      assert.deepEqual(answers, [[1, false]]);
    });
  });

  for (const [field, fields, message] of [
    ['choice of who needs no password', { anonymous: 'all' }, /^who needs no password: .* got "all"$/],
    ['list of users', { accessUsers: 'anna' }, /^users: expected .* got anna$/],
    ['user', { accessUsers: [{ name: 7 }] }, /^users: expected .* got \{"name":7\}$/],
    ['password file', { passwordFile: 7 }, /^password file: expected a path, got 7$/],
    ['password file path', { passwordFile: '/no/such/file' }, /^password file: .*no such file/],
    ['kind of tokens', { tokens: 'some' }, /^tokens: expected none, secret or publicKey, got "some"$/],
    ['token secret', { tokens: 'secret' }, /^tokens: the secret is missing/],
    ['public key', { tokens: 'publicKey', tokenPublicKey: '/no/key' }, /^tokens: the public key .*\/no\/key/],
    ['issuer', { tokens: 'publicKey', tokenIssuer: 7 }, /^token issuer: expected text, got 7$/],
    ['time limit', { decide: true, decisionTimeout: '0' }, /^time limit for decisions: .* got "0"$/],
    ['rule', { accessRules: [{ who: 'everybody', filter: 7 }] }, /^rules: expected .* got \{/],
    [
      'filter of a rule',
      { accessRules: [{ access: 'allow', who: 'everybody', action: 'publish', filter: 'a/#/b' }] },
      /^access rule 1: .*a\/#\/b/,
    ],
  ] as const) {
    it(`refuses a bad ${field} in words`, async () => {
      assert.match(await run(fields as Partial<FlowNode>), message);
      assert.equal(logged(helper.getNode('embedded-1'), 'error').length, 1);
    });
  }

  describe('the route that stores passwords', () => {
    const store = (body: unknown, id = 'embedded-1') =>
      helper
        .request()
        .post(`/mqtt-ros/embedded-broker/${id}/passwords`)
        .send(body as object);

    it('answers a hash or a verifier of a new password, and what is stored of others', async () => {
      await run({ accessUsers: [user('anna')] }, passwords());
      const { status, body } = await store([
        { name: 'emil', login: 'password', password: 'one' },
        { name: 'fred', login: 'scram', password: 'two' },
        { name: 'anne', was: 'anna' },
        { name: 'nobody', was: 'nobody' },
      ]);
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(body), ['emil', 'fred', 'anne']);
      assert.match(body.emil, /^\$scrypt\$/);
      assert.match(body.fred, /^SCRAM-SHA-256\$/);
      assert.equal(body.anne, hashOfAnna);
      assert.equal(await parsePasswordHash(body.emil).verify(Buffer.from('one')), true);
      assert.equal(await parsePasswordHash(body.fred).verify(Buffer.from('one')), false);
      assert.deepEqual((await store([{ name: 'anne', was: 'anna' }], 'other')).body, {});
    });

    it('refuses what is no list of passwords, or too long', async () => {
      await run({});
      const one = { name: 'emil', login: 'password', password: 'one' };
      for (const body of [
        { users: [one] },
        [null],
        [{ ...one, name: 7 }],
        [{ ...one, login: 'plain' }],
        [{ ...one, password: 7 }],
        [{ name: 'emil' }],
        [{ ...one, password: 'x'.repeat(65_536) }],
        Array.from({ length: 101 }, () => one),
      ]) {
        assert.equal((await store(body)).status, 400, JSON.stringify(body).slice(0, 100));
      }
    });
  });
});
