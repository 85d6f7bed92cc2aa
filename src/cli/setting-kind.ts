import { RosTopicMapping } from '../topic/ros-topic';

/** What values a setting may have, and how texts and the configuration file write them. */
export interface SettingKind<T> {
  /** Stands for the value in help texts; absent where the option takes none. */
  readonly placeholder?: string;
  /** In words, after "expected". */
  readonly expected: string;
  /** The value that an option or a variable says, or `undefined` where it cannot be used. */
  ofText(text: string): T | undefined;
  /** The value that the configuration file says, or `undefined` where it cannot be used. */
  ofValue(value: unknown): T | undefined;
}

const WORDS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
]);

/** A text that is not empty. */
export function text(placeholder: string): SettingKind<string> {
  const ofText = (value: string) => (value === '' ? undefined : value);
  return {
    placeholder,
    expected: 'a text that is not empty',
    ofText,
    ofValue: (value) => (typeof value === 'string' ? ofText(value) : undefined),
  };
}

/** First levels of topics; a slash at their end does not matter. */
export function topicPrefix(placeholder: string): SettingKind<string> {
  const ofText = (value: string) => {
    try {
      new RosTopicMapping({ prefix: withoutSlash(value) });
      return value;
    } catch {
      return undefined;
    }
  };
  return {
    placeholder,
    expected: 'topic levels without wildcards',
    ofText,
    ofValue: (value) => (typeof value === 'string' ? ofText(value) : undefined),
  };
}

/** A prefix as the mapping of topics takes it. */
export function withoutSlash(prefix: string): string {
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
}

/** A text that may be missing: empty stands for none. */
export function optionalText(placeholder: string): SettingKind<string> {
  return {
    placeholder,
    expected: 'a text',
    ofText: (value) => value,
    ofValue: (value) => (typeof value === 'string' ? value : undefined),
  };
}

/** A whole number in a range, in decimal digits. */
export function wholeNumber(placeholder: string, least: number, most: number): SettingKind<number> {
  const inRange = (value: number) =>
    Number.isInteger(value) && value >= least && value <= most ? value : undefined;
  return {
    placeholder,
    expected: `a whole number from ${least} to ${most}`,
    ofText: (value) => (/^\d+$/.test(value) ? inRange(Number(value)) : undefined),
    ofValue: (value) => (typeof value === 'number' ? inRange(value) : undefined),
  };
}

/** Yes or no; as an option it takes no value. */
export const yesNo: SettingKind<boolean> = {
  expected: 'true or false',
  ofText: (value) => WORDS.get(value.toLowerCase()),
  ofValue: (value) => (typeof value === 'boolean' ? value : undefined),
};

/** One of several words, in any case. */
export function choice<const Word extends string>(
  placeholder: string,
  words: readonly Word[],
): SettingKind<Word> {
  const ofText = (value: string) => words.find((word) => word.toLowerCase() === value.toLowerCase());
  return {
    placeholder,
    expected: `one of ${words.join(', ')}`,
    ofText,
    ofValue: (value) => (typeof value === 'string' ? ofText(value) : undefined),
  };
}
