/** One row of a list of texts with names, such as user properties, as the flow file keeps it. */
export interface NamedText {
  name: string;
  value: string;
}

/** The rows of JSON text, none where it is blank or something else. */
export function parseNamedTexts(json: string | undefined): NamedText[] {
  if (!json) return [];
  try {
    const rows: unknown = JSON.parse(json);
    return Array.isArray(rows)
      ? rows.map(({ name, value }) => ({ name: String(name), value: String(value) }))
      : [];
  } catch {
    return [];
  }
}

/** The texts by name, several where a name occurs several times; with nothing shared, and a prototype where there was none. */
export function copyOfTexts(texts: Readonly<Record<string, string | readonly string[]>>) {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, typeof text === 'string' ? text : [...text]]),
  );
}
