/** Levels of lists and objects within each other that callers are told and may send; Python reads less than 1000. */
export const MOST_LEVELS = 200;

/** Whether a value that JSON has described has more levels of lists and objects than so many. */
export function isNestedDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  if (!Array.isArray(value)) return Object.values(value).some((each) => isNestedDeeper(each, levels - 1));
  return value.some((each) => isNestedDeeper(each, levels - 1));
}
