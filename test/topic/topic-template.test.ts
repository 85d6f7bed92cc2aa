import assert from 'node:assert/strict';
import { fillTopic, TopicTemplateError } from '../../src/topic/topic-template';

describe('a topic with placeholders', () => {
  const values: Record<string, unknown> = {
    'msg.room': 'kitchen',
    'msg.payload.id': 7,
    'env.PLANT': 'site1',
    'msg.on': false,
    'msg.blank': '',
    'msg.all': 'a/#',
    'msg.any': '+',
    'msg.list': ['a'],
    'msg.nul': 'a\0b',
    'msg.braces': '{{msg.room}}',
    'msg.dollar': '$&',
  };
  const fill = (template: string) => fillTopic(template, (source, path) => values[`${source}.${path}`]);

  for (const [template, topic] of [
    ['plain/topic', 'plain/topic'],
    ['{{env.PLANT}}/{{ msg.room }}/{{msg.payload.id}}', 'site1/kitchen/7'],
    ['on/{{msg.on}}', 'on/false'],
    ['{{msg.braces}}', '{{msg.room}}'],
    ['{{msg.dollar}}', '$&'],
  ] as const) {
    it(`fills in ${template}`, () => assert.equal(fill(template), topic));
  }

  for (const [template, reason] of [
    ['a/{{msg.none}}', '{{msg.none}} has no value'],
    ['a/{{msg.blank}}', '{{msg.blank}} has no value'],
    ['{{msg.all}}', '{{msg.all}} is "a/#", which has a wildcard (+ or #)'],
    ['{{msg.any}}', '{{msg.any}} is "+", which has a wildcard (+ or #)'],
    ['a/{{msg.nul}}', '{{msg.nul}} has a NUL character'],
    ['{{msg.list}}', '{{msg.list}} is a list, expected text or a number'],
    ['{{room}}', '{{room}} is no placeholder, expected {{msg.…}}, {{flow.…}}, {{global.…}} or {{env.…}}'],
    [
      'a/{{msg.room',
      '{{msg.room is no placeholder, expected {{msg.…}}, {{flow.…}}, {{global.…}} or {{env.…}}',
    ],
  ] as const) {
    it(`refuses ${template}`, () =>
      assert.throws(() => fill(template), {
        name: TopicTemplateError.name,
        message: `topic "${template}": ${reason}`,
      }));
  }
});
