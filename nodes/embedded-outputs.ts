/** What the node puts out, each on an output of its own. */
export type Output = 'events' | 'decisions' | 'messages';

/** The fields that choose outputs; absent in flows of before they existed. */
export interface OutputFields {
  decide?: boolean;
  watch?: string;
}

/** The outputs that there are, in their order. */
export function outputsOf({ decide, watch }: OutputFields): Output[] {
  return ['events', ...(decide ? (['decisions'] as const) : []), ...(watch ? (['messages'] as const) : [])];
}
