/** Makes a value that a JSON schema allows; the same for the same seed. */
export type JsonFaker = (schema: object, seed: number) => unknown;

/** It makes texts and lists that are about as long as they may be, and long ones slowly. */
const LONGEST: Record<string, number> = { maxLength: 60, maxItems: 5, maxProperties: 5 };

export async function loadFaker(): Promise<JsonFaker> {
  // The package can only be imported.
  const { generateSync } = await import('json-schema-faker');
  return (schema, seed) => {
    const short = JSON.parse(JSON.stringify(schema), (key, value) =>
      typeof value === 'number' && key in LONGEST ? Math.min(value, LONGEST[key] as number) : value,
    );
    return generateSync(short, { seed, optionalsProbability: 0.5 });
  };
}
