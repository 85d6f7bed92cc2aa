import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigFile } from '../../src/cli/config-file';

describe('the configuration file', () => {
  let directory: string;
  let path: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'config-file-'));
    path = join(directory, 'broker.yaml');
  });
  after(() => rmSync(directory, { recursive: true }));

  function fileWith(content: string | Buffer): ConfigFile {
    writeFileSync(path, content);
    return new ConfigFile(path);
  }

  it('may be empty, or have its parts commented out', () => {
    for (const content of ['', '# nothing\n', '---\n', '\uFEFF']) {
      assert.deepEqual(fileWith(content).sections(), {});
    }
    assert.deepEqual(fileWith('mqtt:\n#  port: 1\naccess:\n').sections().access, {});
  });

  it('has what an alias stands for in each of its places', () => {
    const file = fileWith('mqtt: &place { host: localhost, port: 1 }\nwebsocket: *place\n');
    const taken = ['mqtt.host', 'websocket.host', 'websocket.port', 'mqtt.port', 'mqtt.host'];
    assert.deepEqual(
      taken.map((key) => file.take(key)),
      ['localhost', 'localhost', 1, 1, undefined],
    );
  });

  it('has names of its own choice, also those that mean something to JavaScript', () => {
    const { bridge } = fileWith('bridge: { aliases: { __proto__: 5, constructor: 6 } }').sections();
    assert.deepEqual(Object.entries(bridge?.aliases ?? {}), [
      ['__proto__', 5],
      ['constructor', 6],
    ]);
  });

  const manyAliases = ['a: &a [1]', ...[...'bcdefghi'].map((name, i) => doubled(name, 'abcdefgh'.charAt(i)))];

  /** Nine times what another name stands for. */
  function doubled(name: string, of: string): string {
    return `${name}: &${name} [${Array(9).fill(`*${of}`)}]`;
  }

  for (const [what, content, fault] of [
    ['a list', '[1]', 'expected keys with values'],
    ['an open bracket', 'mqtt: {\n', /at line 2, column 1$/],
    ['a tab', 'mqtt:\n\tport: 1\n', 'Tabs are not allowed as indentation at line 2, column 1'],
    ['a key that is there twice', 'mqtt: {}\nmqtt: {}\n', /^Map keys must be unique at line 2, column 1$/],
    ['a key that is a list', 'mqtt: { ? [a] : 1 }', /stand where a key is expected$/],
    ['a merge key', 'mqtt: { <<: { port: 1 } }', /^mqtt\.<< is no setting, expected one of host, /],
    ['a key of all objects', 'mqtt: { __proto__: { port: 1 } }', /^mqtt\.__proto__ is no setting/],
    ['such a key as section', '__proto__: { port: 1 }', /^__proto__ is no setting/],
    ['an unknown tag', 'auth: { password: !env PASSWORD }', 'Unresolved tag: !env at line 1, column 19'],
    ['a text for a number', 'limits: { retainedMessages: "5" }', /is "5", expected a number$/],
    ['no number', 'limits: { retainedMessages: .nan }', /is null, expected a number$/],
    ['several documents', 'mqtt: {}\n---\nhttp: {}\n', /^expected one document/],
    ['aliases that grow to gigabytes', manyAliases.join('\n'), /^Excessive alias count/],
    ['an alias of nothing', 'mqtt: *other', /^Unresolved alias .*: other$/],
    ['a value that holds itself', 'access: { users: &all [*all] }', /^an alias stands for a value that it /],
    ['open brackets', `mqtt: ${'['.repeat(5_000)}`, 'nested deeper than 100 levels'],
    ['lists of lists', '- '.repeat(5_000), 'nested deeper than 100 levels'],
    ['keys that are keys', '? '.repeat(5_000), 'nested deeper than 100 levels'],
    ['many levels', `${'{a: '.repeat(100)}[]${'}'.repeat(100)}`, /^a is no setting/],
    ['one level too many', `${'{a: '.repeat(101)}[]${'}'.repeat(101)}`, 'nested deeper than 100 levels'],
    ['an origin with a path', 'gateway: { origins: ["https://a.example/"] }', /expected scheme and host/],
    ['another encoding', Buffer.from('auth: { password: sécret }', 'latin1'), /^is not UTF-8$/],
    ['UTF-16', Buffer.from('\uFEFFmqtt: {}', 'utf16le'), /^is not UTF-8$/],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const read = () => fileWith(content).sections();
      assert.throws(read, ({ name, message }: Error) => {
        assert.equal(name, 'SettingsError');
        assert.ok(message.startsWith(path) && !message.includes('\n'), message);
        const told = message.slice(path.length).replace(/^:? /, '');
        if (typeof fault === 'string') assert.equal(told, fault);
        else assert.match(told, fault);
        return true;
      });
    });
  }

  it('is refused where it cannot be read, or is larger than such a file may be', function () {
    const refused = (place: string, message: RegExp) =>
      assert.throws(() => new ConfigFile(place), { name: 'SettingsError', message });
    refused(join(directory, 'other.yaml'), /^the configuration file .*other\.yaml does not exist$/);
    refused(directory, /cannot be read: EISDIR/);
    writeFileSync(path, `#${'x'.repeat(1024 * 1024)}`);
    refused(path, /broker\.yaml is larger than a file of settings may be, 1048576 bytes$/);
    if (process.platform !== 'linux') this.skip();
    refused('/dev/zero', /^\/dev\/zero is larger/);
  });
});
