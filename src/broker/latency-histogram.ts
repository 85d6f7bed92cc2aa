/** Upper bound of the first class, ms; each further one is twice that of the class two before it. */
const FIRST_BOUND = 0.01;
const CLASSES = 40;

/** Counts of messages by the time that they took, in classes of which the last has no upper bound. */
export const newHistogram = (): number[] => new Array<number>(CLASSES).fill(0);

/** @param time ms */
export function countLatency(histogram: number[], time: number, messages: number): void {
  const index = time <= FIRST_BOUND ? 0 : Math.ceil(2 * Math.log2(time / FIRST_BOUND));
  const at = Math.min(index, CLASSES - 1);
  histogram[at] = (histogram[at] as number) + messages;
}

/** The time within which this part of the messages was done, ms: the upper bound of the class that the last one is in. */
export function percentile(histogram: readonly number[], part: number): number {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  let counted = 0;
  const index = histogram.findIndex((count) => {
    counted += count;
    return counted >= part * total;
  });
  return FIRST_BOUND * 2 ** (index / 2);
}
