import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { parseInterface } from '../../src/ros/interface-text';
import { MessageCodec, UnknownTypeError } from '../../src/ros/message-codec';
import type { MessageDefinition, MessageField } from '../../src/ros/message-definition';
import { describeType, hashOf } from '../../src/ros/type-description';

const message = (name: string, ...fields: MessageField[]): MessageDefinition => ({
  name,
  fields,
  constants: [],
});

describe('InterfaceLibrary', () => {
  const library = InterfaceLibrary.bundled();

  it('has the common interfaces under their canonical names', () => {
    assert.ok(library.names().length >= 400);
    assert.equal(library.get('std_msgs/String'), undefined);
    assert.equal(library.get('constructor'), undefined);
    assert.deepEqual(library.get('std_msgs/msg/Header'), {
      name: 'std_msgs/msg/Header',
      fields: [
        { name: 'stamp', type: 'builtin_interfaces/msg/Time' },
        { name: 'frame_id', type: 'string' },
      ],
      constants: [],
    });
    assert.deepEqual(library.get('sensor_msgs/msg/Imu')?.fields[2], {
      name: 'orientation_covariance',
      type: 'float64',
      array: { length: 9 },
    });
    assert.deepEqual(library.get('shape_msgs/msg/SolidPrimitive')?.fields[1], {
      name: 'dimensions',
      type: 'float64',
      array: { bound: 3 },
    });
    assert.deepEqual(library.get('geometry_msgs/msg/Quaternion')?.fields[3], {
      name: 'w',
      type: 'float64',
      default: 1,
    });
    assert.deepEqual(
      library.get('visualization_msgs/msg/Marker')?.constants.find(({ name }) => name === 'SPHERE'),
      { name: 'SPHERE', type: 'int32', value: 2 },
    );
  });

  it('has services and actions with what is derived from them', () => {
    for (const type of [
      'std_srvs/srv/SetBool_Request',
      'rcl_interfaces/srv/GetParameters_Response',
      'sensor_msgs/srv/SetCameraInfo_Event',
      'type_description_interfaces/srv/GetTypeDescription',
      'example_interfaces/action/Fibonacci_SendGoal_Request',
      'tf2_msgs/action/LookupTransform_FeedbackMessage',
    ]) {
      assert.equal(library.get(type)?.name, type);
    }
  });

  it('has what the .msg files of the same package say', () => {
    const root = 'node_modules/@foxglove/rosmsg-msgs-common/msgdefs/ros2jazzy';
    let compared = 0;
    for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.msg')) continue;
      const definition = library.get(path.slice(0, -'.msg'.length));
      // A file has the messages that its message contains behind a line of "=".
      const own = readFileSync(`${root}/${path}`, 'utf8').split(/^=+$/m)[0] as string;
      const fields = own
        .split('\n')
        .map((line) => line.replace(/#.*/, '').trim())
        .filter((line) => line !== '' && !/^\S+\s+\w+\s*=/.test(line))
        .map((line) => line.split(/\s+/).slice(0, 2).join(' '));
      const found = definition?.fields.map(({ name, type, array, stringBound }) => {
        const bound = array?.bound === undefined ? '' : `<=${array.bound}`;
        const suffix = array === undefined ? '' : `[${array.length ?? bound}]`;
        return `${type.replace('/msg/', '/')}${stringBound === undefined ? '' : `<=${stringBound}`}${suffix} ${name}`;
      });
      const folder = path.split('/')[0] as string;
      const expected = fields.map((field) => {
        const [type, name] = field.split(' ') as [string, string];
        const base = type.replace(/[[<].*/, '');
        const suffix = type.slice(base.length);
        return `${/^[A-Z]/.test(base) ? `${folder}/` : ''}${base}${suffix} ${name}`;
      });
      assert.deepEqual(found, expected, path);
      compared++;
    }
    assert.equal(compared, 151);
  });

  it('has the messages of older releases as they have them, but for the range of Humble', () => {
    const folder = 'node_modules/@foxglove/rosmsg-msgs-common/msgdefs';
    const different: string[] = [];
    for (const release of ['ros2humble', 'ros2iron']) {
      const paths = readdirSync(join(folder, release), { recursive: true, encoding: 'utf8' });
      for (const path of paths.filter((name) => name.endsWith('.msg'))) {
        const type = path.slice(0, -'.msg'.length);
        const [text = ''] = readFileSync(join(folder, release, path), 'utf8').split(/^={3,}$/m, 1);
        const [definition] = parseInterface(type, text, path);
        // The hash stands for the fields; defaults and constants change no byte.
        const ofRelease = hashOf(describeType(library.with([definition as MessageDefinition]), type));
        if (ofRelease !== hashOf(describeType(library, type))) different.push(`${release} ${type}`);
      }
    }
    assert.deepEqual(different, ['ros2humble sensor_msgs/msg/Range']);
  });

  it('takes more definitions, for itself only', () => {
    const mine = InterfaceLibrary.bundled();
    const definition = message('my_msgs/msg/Named', { name: 'where', type: 'geometry_msgs/msg/Point' });
    mine.add(definition);
    mine.add(structuredClone(definition));
    assert.deepEqual(mine.get('my_msgs/msg/Named'), definition);
    assert.equal(library.get('my_msgs/msg/Named'), undefined);
    assert.ok(mine.names().includes('my_msgs/msg/Named'));
    assert.throws(() => mine.add(message('my_msgs/msg/Named')), /already defined differently/);
    assert.throws(() => mine.add(message('std_msgs/msg/String')), /already defined differently/);
  });

  it('is made with definitions that take the place of bundled ones', () => {
    const old = message('sensor_msgs/msg/Range', { name: 'range', type: 'float32' });
    const mine = library.with([old, structuredClone(old)]);
    assert.deepEqual(mine.get('sensor_msgs/msg/Range'), old);
    assert.notDeepEqual(library.get('sensor_msgs/msg/Range'), old);
    assert.equal(mine.names().filter((name) => name === 'sensor_msgs/msg/Range').length, 1);
    assert.throws(
      () => library.with([old, message('sensor_msgs/msg/Range')]),
      /^Error: sensor_msgs\/msg\/Range is already defined differently$/,
    );
    assert.throws(() => library.with([message('a/T')]), /is not an interface type/);
  });

  describe('with the types of an installed ROS 2', () => {
    let folder: string;
    const environment = process.env.AMENT_PREFIX_PATH;
    const install = (prefix: string | undefined, type: string, text: string) => {
      const [packageName, kind, name] = type.split('/') as [string, string, string];
      const share = join(prefix as string, 'share', packageName, kind);
      mkdirSync(share, { recursive: true });
      writeFileSync(join(share, `${name}.${kind}`), text);
    };
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'ament-'));
      const prefixes = ['overlay', 'base'].map((name) => join(folder, name));
      install(prefixes[0], 'acme_msgs/msg/Grip', 'int8 overlaid');
      install(prefixes[1], 'acme_msgs/msg/Grip', 'int8 base');
      install(prefixes[1], 'acme_msgs/srv/Open', '---\nbool opened');
      install(prefixes[1], 'acme_msgs/action/Move', 'int8 where\n---\n---\n');
      install(prefixes[1], 'acme_msgs/msg/Wrong', '# wrong\nint8\n');
      install(prefixes[1], 'std_msgs/msg/Bool', 'bool installed');
      process.env.AMENT_PREFIX_PATH = prefixes.join(delimiter);
    });
    after(() => {
      if (environment === undefined) delete process.env.AMENT_PREFIX_PATH;
      else process.env.AMENT_PREFIX_PATH = environment;
      rmSync(folder, { recursive: true });
    });

    it('reads messages, services and actions, of the first prefix that has them', () => {
      const installed = InterfaceLibrary.installed();
      assert.equal(installed.get('acme_msgs/msg/Grip')?.fields[0]?.name, 'overlaid');
      assert.equal(installed.get('acme_msgs/srv/Open_Response')?.fields[0]?.name, 'opened');
      assert.equal(installed.get('acme_msgs/action/Move_GetResult_Request')?.fields[0]?.name, 'goal_id');
      assert.equal(installed.get('acme_msgs/action/Move_Goal')?.fields[0]?.name, 'where');
      assert.equal(installed.get('acme_msgs/msg/Absent'), undefined);
      assert.equal(installed.get('../../msg/Grip'), undefined);
      assert.equal(library.get('acme_msgs/msg/Grip'), undefined);
    });

    it('prefers them to bundled ones, and what is given to both', () => {
      const installed = InterfaceLibrary.installed();
      assert.deepEqual(installed.get('std_msgs/msg/Bool')?.fields, [{ name: 'installed', type: 'bool' }]);
      assert.equal(installed.get('std_msgs/msg/String')?.fields[0]?.name, 'data');
      const given = message('std_msgs/msg/Bool', { name: 'given', type: 'bool' });
      assert.deepEqual(installed.with([given]).get('std_msgs/msg/Bool'), given);
    });

    it('says which file is wrong', () => {
      assert.throws(
        () => MessageCodec.for(InterfaceLibrary.installed(), 'acme_msgs/msg/Wrong'),
        /Wrong\.msg:2: expected a type and a name/,
      );
    });
  });

  it('refuses definitions from which no code may be generated', () => {
    const mine = InterfaceLibrary.bundled();
    const field = (more: Partial<MessageField>) => message('a/msg/T', { name: 'x', type: 'int8', ...more });
    for (const [definition, fault] of [
      [message('a/T'), /"a\/T" is not an interface type/],
      [field({ name: 'x;process.exit()' }), /is not a field name/],
      [field({ name: '__proto__' }), /is not a field name/],
      [field({ type: 'a/msg/T;x' }), /is not an interface type/],
      [field({ type: 'int128' }), /is not an interface type/],
      [field({ type: 'constructor' }), /is not an interface type/],
      [field({ array: { length: 0 } }), /0 is not a valid length/],
      [field({ array: { length: 1.5 } }), /1.5 is not a valid length/],
      [field({ array: { bound: -1 } }), /-1 is not a valid length/],
      [field({ stringBound: 3 }), /only strings/],
      [message('a/msg/T', { name: 'x', type: 'int8' }, { name: 'x', type: 'int8' }), /"x" is there twice/],
    ] as const) {
      const sound = message('a/msg/Sound', { name: 'x', type: 'int8' });
      assert.throws(() => mine.add(sound, definition), fault);
      assert.equal(mine.get('a/msg/Sound'), undefined);
      assert.equal(mine.get('a/msg/T'), undefined);
    }
  });
});

describe('Types without a codec', () => {
  it('are services and actions, which are no messages', () => {
    for (const type of [
      'std_srvs/srv/SetBool',
      'example_interfaces/action/Fibonacci',
      'example_interfaces/action/Fibonacci_SendGoal',
    ]) {
      assert.throws(
        () => MessageCodec.for(InterfaceLibrary.bundled(), type),
        /is a service or an action, not a message/,
      );
    }
  });

  const refuses = (definitions: MessageDefinition[], fault: RegExp) => {
    const library = InterfaceLibrary.bundled();
    for (const definition of definitions) library.add(definition);
    const type = (definitions[0] as MessageDefinition).name;
    assert.throws(
      () => MessageCodec.for(library, type),
      (error) => error instanceof UnknownTypeError && fault.test(error.message),
    );
  };

  it('are unknown ones, also inside of known ones', () => {
    assert.throws(() => MessageCodec.for(InterfaceLibrary.bundled(), 'a/msg/B'), UnknownTypeError);
    refuses(
      [message('a/msg/T', { name: 'x', type: 'a/msg/U' })],
      /no definition of type a\/msg\/U \(a\/msg\/T, x\)/,
    );
  });

  it('are those that contain themselves', () => {
    refuses([message('a/msg/T', { name: 'x', type: 'a/msg/T', array: {} })], /a\/msg\/T contains itself/);
    refuses(
      [
        message('a/msg/T', { name: 'x', type: 'a/msg/U' }),
        message('a/msg/U', { name: 'x', type: 'a/msg/T' }),
      ],
      /contains itself/,
    );
  });

  it('are those that are too deep or too big', () => {
    const nested = (depth: number, array?: MessageField['array']) =>
      Array.from({ length: depth }, (_, index) =>
        message(`a/msg/T${index}`, {
          name: 'x',
          type: index === depth - 1 ? 'int8' : `a/msg/T${index + 1}`,
          ...(array === undefined ? {} : { array }),
        }),
      );
    refuses(nested(65), /nests more than 64/);
    refuses(nested(5, { length: 1000 }), /has more than/);
  });

  it('are those with defaults that do not fit', () => {
    refuses(
      [message('a/msg/T', { name: 'x', type: 'int8', default: 200 })],
      /invalid default: x: expected an integer from -128 to 127, got 200/,
    );
  });
});
