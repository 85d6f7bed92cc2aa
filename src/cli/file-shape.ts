import { SettingsError } from './settings-error';

/**
 * Reads a value of the configuration file.
 * @param place where it stands, such as `bridge.routes[0].rosName`
 * @throws SettingsError it is not of this shape; the message names the place
 */
export type Shape<T> = (value: unknown, place: string) => T;

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Values<F extends Fields> = { [Name in keyof F]: ReturnType<F[Name]> };

export const textShape: Shape<string> = (value, place) =>
  typeof value === 'string' ? value : refuse(place, value, 'a text');

/** A text that no error shows. */
export const secretShape: Shape<string> = (value, place) => {
  if (typeof value === 'string') return value;
  throw new SettingsError(`${place} is not a text: put it in quotes`);
};

export const numberShape: Shape<number> = (value, place) =>
  typeof value === 'number' ? value : refuse(place, value, 'a number');

export const yesNoShape: Shape<boolean> = (value, place) =>
  typeof value === 'boolean' ? value : refuse(place, value, 'true or false');

/** Whatever it is: somebody else checks it. */
export const anyShape: Shape<unknown> = (value) => value;

/** One of the given words or numbers. */
export function oneOfShape<const Word extends string | number>(...words: readonly Word[]): Shape<Word> {
  return (value, place) =>
    words.find((word) => word === value) ?? refuse(place, value, `one of ${words.join(', ')}`);
}

export function listShape<T>(element: Shape<T>): Shape<T[]> {
  return (value, place) =>
    Array.isArray(value)
      ? value.map((one, index) => element(one, `${place}[${index}]`))
      : refuse(place, value, 'a list');
}

/** Names of the file's choice, each with a value. */
export function mapShape<T>(element: Shape<T>): Shape<Record<string, T>> {
  return (value, place) =>
    Object.fromEntries(
      Object.entries(object(value, place)).map(([name, one]) => [name, element(one, `${place}.${name}`)]),
    );
}

/** An object with these fields and no others. */
export function fieldsShape<Required extends Fields, Optional extends Fields>(
  required: Required,
  optional: Optional,
): Shape<Values<Required> & Partial<Values<Optional>>> {
  const all: Fields = { ...required, ...optional };
  return (value, place) => {
    const given = object(value, place);
    const read: Record<string, unknown> = {};
    for (const name of Object.keys(required)) {
      if (!Object.hasOwn(given, name)) throw new SettingsError(`${below(place, name)} is missing`);
    }
    for (const [name, one] of Object.entries(given)) {
      const shape = Object.hasOwn(all, name) ? all[name] : undefined;
      if (shape === undefined) {
        const known = Object.keys(all).join(', ');
        const expected = known === '' ? 'nothing is expected there' : `expected one of ${known}`;
        throw new SettingsError(`${below(place, name)} is no setting, ${expected}`);
      }
      read[name] = shape(one, below(place, name));
    }
    return read as Values<Required> & Partial<Values<Optional>>;
  };
}

const below = (place: string, name: string) => (place.endsWith(' ') ? place + name : `${place}.${name}`);

function object(value: unknown, place: string): object {
  // A section in which all is commented out.
  if (value === null) return {};
  return typeof value === 'object' && !Array.isArray(value)
    ? value
    : refuse(place, value, 'settings below it');
}

function refuse(place: string, value: unknown, expected: string): never {
  throw new SettingsError(`${place} is ${JSON.stringify(value)}, expected ${expected}`);
}
