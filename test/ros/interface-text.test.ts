import assert from 'node:assert/strict';
import { DefinitionError } from '../../src/ros/definition-error';
import { parseInterface, parseInterfaces } from '../../src/ros/interface-text';
import type { MessageDefinition } from '../../src/ros/message-definition';

const message = (text: string): MessageDefinition => {
  const definitions = parseInterface('a/msg/T', text);
  assert.equal(definitions.length, 1);
  return definitions[0] as MessageDefinition;
};

const fieldsOf = (definitions: MessageDefinition[]) =>
  Object.fromEntries(
    definitions.map(({ name, fields }) => [
      name,
      fields.map((field) => `${field.type} ${field.name}`).join(', '),
    ]),
  );

describe('The text of a .msg file', () => {
  it('gives fields of every kind', () => {
    assert.deepEqual(
      message(`# A comment, and an empty line

bool a\t# tab and comment
   byte   b
char[] c
int8[3] d\r
uint64[<=4] e
string f
string<=5 g
wstring[] h
string<=6[<=7] i
Other j
b_msgs/Other[] k
c_msgs/msg/Other l
  # an indented comment`).fields,
      [
        { name: 'a', type: 'bool' },
        { name: 'b', type: 'byte' },
        { name: 'c', type: 'char', array: {} },
        { name: 'd', type: 'int8', array: { length: 3 } },
        { name: 'e', type: 'uint64', array: { bound: 4 } },
        { name: 'f', type: 'string' },
        { name: 'g', type: 'string', stringBound: 5 },
        { name: 'h', type: 'wstring', array: {} },
        { name: 'i', type: 'string', array: { bound: 7 }, stringBound: 6 },
        { name: 'j', type: 'a/msg/Other' },
        { name: 'k', type: 'b_msgs/msg/Other', array: {} },
        { name: 'l', type: 'c_msgs/msg/Other' },
      ],
    );
    assert.deepEqual(message(''), { name: 'a/msg/T', fields: [], constants: [] });
  });

  it('gives constants', () => {
    assert.deepEqual(
      message(`bool ON=true
byte B = 0x1F
char C=97 # a
int8 LEAST=-128
uint64 MOST=18446744073709551615
int64 SAFE = +12
int32 BITS=0b101
uint8 OLD=0o17
float32 HALF=0.5
float64 TINY= -1e-300
string TEXT= plain text
string QUOTED=" a 'b' \\"c\\" "
wstring WIDE='ハロー'
string NONE=`).constants.map(({ name, value }) => [name, value]),
      [
        ['ON', true],
        ['B', 31],
        ['C', 97],
        ['LEAST', -128],
        ['MOST', 18446744073709551615n],
        ['SAFE', 12],
        ['BITS', 5],
        ['OLD', 15],
        ['HALF', 0.5],
        ['TINY', -1e-300],
        ['TEXT', 'plain text'],
        ['QUOTED', ' a \'b\' "c" '],
        ['WIDE', 'ハロー'],
        ['NONE', ''],
      ],
    );
  });

  it('gives defaults', () => {
    assert.deepEqual(
      message(`uint8 a 7
bool b false
float64 c -.5
float32 d nan
float64 e -inf
string f "Hello world!"
string g 'Hello\\'world!'
string h plain
wstring<=3 i "\\n"
int16[3] j [1, -2, 3]
int64[] k [9223372036854775807]
bool[<=2] l [true, 0]
string[] m ["a, b", 'c', d, "e\\"f"]
uint8[] n []`).fields.map((field) => field.default),
      [
        7,
        false,
        -0.5,
        Number.NaN,
        Number.NEGATIVE_INFINITY,
        'Hello world!',
        "Hello'world!",
        'plain',
        '\n',
        [1, -2, 3],
        [9223372036854775807n],
        [true, false],
        ['a, b', 'c', 'd', 'e"f'],
        [],
      ],
    );
  });

  it('is refused with its file, line and what was expected', () => {
    for (const [text, fault] of [
      ['int8 a\nint8', 'T.msg:2: expected a type and a name like "float64 x", got "int8"'],
      ['int8 A', 'T.msg: a/msg/T: "A" is not a field name like "frame_id"'],
      ['int8 a;process.exit()', 'T.msg: a/msg/T: "a;process.exit()" is not a field name like "frame_id"'],
      ['int8 a\n\nint16 a', 'T.msg:3: "a" is there twice'],
      ['int8 A=1\nint8 A=2', 'T.msg:2: "A" is there twice'],
      ['int8 a=1', 'T.msg:1: "a" is not a constant\'s name like "MAX_SIZE"'],
      ['int8 A__B=1', 'T.msg:1: "A__B" is not a constant\'s name like "MAX_SIZE"'],
      ['string<=3 A=abc', 'T.msg:1: constant "A": expected a primitive type, got "string<=3"'],
      ['int8[2] A=1', 'T.msg:1: constant "A": expected a primitive type, got "int8[2]"'],
      ['int8 A=128', 'T.msg:1: "A": expected an integer from -128 to 127, got 128'],
      ['uint8 A=', 'T.msg:1: "A": expected an integer from 0 to 255, got nothing'],
      ['byte A=-1', 'T.msg:1: "A": expected an integer from 0 to 255, got -1'],
      [
        'int64 A=9223372036854775808',
        /: expected an integer from -9223372036854775808 to 9223372036854775807/,
      ],
      [`int64 A=${'9'.repeat(100_000)}`, /^T\.msg:1: "A": expected an integer .{1,140}…$/],
      ['bool A=yes', 'T.msg:1: "A": expected true or false, got yes'],
      ['float32 A=0x10', 'T.msg:1: "A": expected a number, got 0x10'],
      ['string a "b"c"', /^T\.msg:1: "a": expected a string whose inner " is escaped/],
      ['int8[2] a [1]', 'T.msg:1: "a": expected 2 elements, got 1'],
      ['int8[<=2] a [1,2,3]', 'T.msg:1: "a": expected at most 2 elements, got 3'],
      ['int8[] a 1', 'T.msg:1: "a": expected an array like [1, 2], got 1'],
      ['int8[] a [1,]', 'T.msg:1: "a": expected an integer from -128 to 127, got nothing'],
      ['b/Other a 1', 'T.msg:1: field "a": only primitive types have a default'],
      ['int8[0] a', /field "a": 0 is not a valid length or bound/],
      ['string<=0 a', /field "a": 0 is not a valid length or bound/],
      ['int8[99999999999] a', /field "a": 99999999999 is not a valid length or bound/],
      ['---', 'T.msg: expected message with no line of "---", found 1'],
    ] as const) {
      assert.throws(
        () => parseInterface('a/msg/T', text, 'T.msg'),
        (error) => {
          assert.ok(error instanceof DefinitionError);
          if (typeof fault === 'string') assert.equal(error.message, fault);
          else assert.match(error.message, fault);
          return true;
        },
      );
    }
    for (const type of [
      'int128',
      'time',
      'int8[',
      'int8]',
      'int8[-1]',
      'int8[<=]',
      'int8[<3]',
      'int8[2][2]',
      'int8<=3',
      'string<=',
      'string<=x',
      'a/b/c/D',
      'A/D',
      'b/d',
      'b/msg/D;x',
      'Ünder',
      '[]',
    ]) {
      assert.throws(
        () => parseInterface('a/msg/T', `${type} a`, 'T.msg'),
        /^DefinitionError: T\.msg:1: expected a type like float64, string<=10,/,
        type,
      );
    }
    for (const type of ['a/T', 'a/msg/t', 'a/idl/T', 'a/srv/Ping_Request', 'a/action/Go_Goal', '../msg/T']) {
      assert.throws(() => parseInterface(type, '', 'x'), /^DefinitionError: x: .* is not /, type);
    }
    assert.throws(() => parseInterface('a/msg/T', '#'.repeat(2 ** 20 + 1), 'x'), /x: 1048577 characters/);
    const many = Array.from({ length: 4097 }, (_, index) => `int8 f${index}`).join('\n');
    assert.throws(() => parseInterface('a/msg/T', many, 'x'), /x:4097: expected at most 4096 fields/);
  });

  it('is read or refused in linear time, whatever is in it', () => {
    for (const text of [
      `int8 ${'A_'.repeat(500_000)}=1`,
      `int8 ${'a_'.repeat(500_000)}`,
      `string a ${'"\\'.repeat(500_000)}`,
      `string[] a [${'"",'.repeat(300_000)}]`,
      `${'a/'.repeat(500_000)} a`,
      `float64 a ${'1'.repeat(1_000_000)}`,
      `int8 ${' '.repeat(1_000_000)}`,
    ]) {
      try {
        parseInterface('a/msg/T', text);
      } catch (error) {
        assert.ok(error instanceof DefinitionError);
      }
    }
  });
});

describe('The text of a .srv file', () => {
  it('gives request, response, event and the service', () => {
    const definitions = parseInterface('a/srv/Ping', 'uint8 X=1\nint8 a\n---\nOther b\n');
    assert.deepEqual(fieldsOf(definitions), {
      'a/srv/Ping_Request': 'int8 a',
      'a/srv/Ping_Response': 'a/msg/Other b',
      'a/srv/Ping_Event':
        'service_msgs/msg/ServiceEventInfo info, a/srv/Ping_Request request, a/srv/Ping_Response response',
      'a/srv/Ping':
        'a/srv/Ping_Request request_message, a/srv/Ping_Response response_message, a/srv/Ping_Event event_message',
    });
    assert.equal(definitions[0]?.constants[0]?.name, 'X');
    assert.deepEqual(definitions[2]?.fields[1]?.array, { bound: 1 });
  });

  it('is refused without exactly one separator, by the line where something is wrong', () => {
    assert.throws(() => parseInterface('a/srv/P', 'int8 a', 'P.srv'), {
      message: 'P.srv: expected request, response with one line of "---", found 0',
    });
    assert.throws(() => parseInterface('a/srv/P', '---\n---', 'P.srv'), /found 2/);
    assert.throws(
      () => parseInterface('a/srv/P', 'int8 a\n---\n\nint8', 'P.srv'),
      /^DefinitionError: P\.srv:4: /,
    );
    // Each part has names of its own.
    assert.equal(parseInterface('a/srv/P', 'int8 a\n--- \nint8 a', 'P.srv').length, 4);
  });
});

describe('The text of an .action file', () => {
  it('gives goal, result, feedback, both services, the feedback message and the action', () => {
    const definitions = parseInterface('a/action/Go', 'int8 a\n---\nint8 b\n---\nint8 c');
    assert.deepEqual(fieldsOf(definitions), {
      'a/action/Go_Goal': 'int8 a',
      'a/action/Go_Result': 'int8 b',
      'a/action/Go_Feedback': 'int8 c',
      'a/action/Go_SendGoal_Request': 'unique_identifier_msgs/msg/UUID goal_id, a/action/Go_Goal goal',
      'a/action/Go_SendGoal_Response': 'bool accepted, builtin_interfaces/msg/Time stamp',
      'a/action/Go_SendGoal_Event':
        'service_msgs/msg/ServiceEventInfo info, a/action/Go_SendGoal_Request request, a/action/Go_SendGoal_Response response',
      'a/action/Go_SendGoal':
        'a/action/Go_SendGoal_Request request_message, a/action/Go_SendGoal_Response response_message, a/action/Go_SendGoal_Event event_message',
      'a/action/Go_GetResult_Request': 'unique_identifier_msgs/msg/UUID goal_id',
      'a/action/Go_GetResult_Response': 'int8 status, a/action/Go_Result result',
      'a/action/Go_GetResult_Event':
        'service_msgs/msg/ServiceEventInfo info, a/action/Go_GetResult_Request request, a/action/Go_GetResult_Response response',
      'a/action/Go_GetResult':
        'a/action/Go_GetResult_Request request_message, a/action/Go_GetResult_Response response_message, a/action/Go_GetResult_Event event_message',
      'a/action/Go_FeedbackMessage': 'unique_identifier_msgs/msg/UUID goal_id, a/action/Go_Feedback feedback',
      'a/action/Go':
        'a/action/Go_Goal goal, a/action/Go_Result result, a/action/Go_Feedback feedback, a/action/Go_SendGoal send_goal_service, a/action/Go_GetResult get_result_service, a/action/Go_FeedbackMessage feedback_message',
    });
  });

  it('is refused without exactly two separators', () => {
    assert.throws(() => parseInterface('a/action/G', '---', 'G.action'), {
      message: 'G.action: expected goal, result, feedback with two lines of "---", found 1',
    });
  });
});

describe('Several definitions in one text', () => {
  it('are told apart by their headings', () => {
    const text = `int8 a
================
MSG: b_msgs/Other
int8 b
===
SRV: b_msgs/srv/Ping
int8 c
---
int8 d
  ACTION: b_msgs/Go
---
---
`;
    const names = parseInterfaces(text, 'pasted', 'a/msg/T').map(({ name }) => name);
    assert.equal(names.length, 2 + 4 + 13);
    assert.deepEqual(names.slice(0, 3), ['a/msg/T', 'b_msgs/msg/Other', 'b_msgs/srv/Ping_Request']);
    assert.ok(names.includes('b_msgs/action/Go_GetResult_Event'));
  });

  it('may be in each other, as `ros2 interface show` prints them', () => {
    const text = [
      'MSG: my_msgs/msg/Track',
      'uint8 OPEN=1',
      'std_msgs/Header header',
      '\tbuiltin_interfaces/Time stamp',
      '\t\tint32 sec',
      '\t\tuint32 nanosec',
      '\tstring frame_id',
      '',
      'Spot[<=4] spots   # with a comment',
      '\tuint8 KIND=3',
      '\t# only a comment',
      '\tNear near',
      '\t\tfloat32 distance 1.5',
      'bool last',
    ];
    const definitions = parseInterfaces(text.join('\n'), 'pasted');
    assert.deepEqual(fieldsOf(definitions), {
      'my_msgs/msg/Track': 'std_msgs/msg/Header header, my_msgs/msg/Spot spots, bool last',
      'builtin_interfaces/msg/Time': 'int32 sec, uint32 nanosec',
      'std_msgs/msg/Header': 'builtin_interfaces/msg/Time stamp, string frame_id',
      'my_msgs/msg/Near': 'float32 distance',
      'my_msgs/msg/Spot': 'my_msgs/msg/Near near',
    });
    assert.equal(definitions.at(-1)?.constants[0]?.value, 3);
    assert.throws(
      () => parseInterfaces(['MSG: a/T', 'int8 a', '\tint8 b'].join('\n'), 'pasted'),
      /^DefinitionError: pasted:3: indented behind no field of a message type/,
    );
    assert.throws(
      () => parseInterfaces(['MSG: a/T', 'B b', '', '\tint8 c', '\tint8'].join('\n'), 'pasted'),
      /^DefinitionError: pasted:5: expected a type and a name/,
    );
  });

  it('are refused by the line of the whole text, and where nobody knows what a line belongs to', () => {
    assert.throws(
      () => parseInterfaces('# first\nMSG: a/T\nint8\n', 'pasted'),
      /^DefinitionError: pasted:3: /,
    );
    assert.throws(() => parseInterfaces('# first\n\nint8 a\nMSG: a/T\n', 'pasted'), {
      message: 'pasted:3: expected a line like "MSG: my_msgs/msg/Name" before it',
    });
    assert.throws(() => parseInterfaces('MSG: a/b/c/T', 'pasted'), /"a\/b\/c\/T" is not an interface type/);
    assert.deepEqual(parseInterfaces('# nothing\n', 'pasted'), []);
  });
});
