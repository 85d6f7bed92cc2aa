const WILDCARD = /[*?[]/;

/**
 * Whether two endpoints have a partition in common (DDS 1.4, 2.2.3.13): each may name partitions or give POSIX fnmatch
 * patterns, but two patterns never match. No partition at all stands for the one whose name is empty.
 */
export function sharePartition(offered: readonly string[], requested: readonly string[]): boolean {
  const names = (partitions: readonly string[]) => (partitions.length === 0 ? [''] : partitions);
  return names(offered).some((one) => names(requested).some((other) => isSamePartition(one, other)));
}

function isSamePartition(one: string, other: string): boolean {
  if (one === other) return !WILDCARD.test(one);
  if (WILDCARD.test(one)) return !WILDCARD.test(other) && matchesPattern(other, one);
  return WILDCARD.test(other) && matchesPattern(one, other);
}

/**
 * fnmatch (POSIX 1003.2, 2.13) without flags: `*` any characters, `?` one, `[a-c]` one of these, `[!a-c]` one of the
 * others, `\` the next character as it is. Takes at most the product of the two lengths, whatever the pattern is.
 */
export function matchesPattern(name: string, pattern: string): boolean {
  let at = 0;
  let inPattern = 0;
  /** Where the last `*` began, and how much it takes so far. */
  let star = -1;
  let taken = 0;
  while (at < name.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern++;
      taken = at;
      continue;
    }
    const next = matchOne(name[at] as string, pattern, inPattern);
    if (next > 0) {
      inPattern = next;
      at++;
    } else if (star >= 0) {
      inPattern = star + 1;
      at = ++taken;
    } else return false;
  }
  while (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}

/** The index behind the part of the pattern at `at` when that matches the character; else 0. */
function matchOne(character: string, pattern: string, at: number): number {
  const first = pattern[at];
  if (first === undefined) return 0;
  if (first === '?') return at + 1;
  if (first === '[') {
    const end = endOfSet(pattern, at);
    if (end > 0) return isInSet(character, pattern.slice(at + 1, end)) ? end + 1 : 0;
  }
  if (first === '\\' && at + 1 < pattern.length) return pattern[at + 1] === character ? at + 2 : 0;
  return first === character ? at + 1 : 0;
}

/** The index of the `]` that ends the set; 0 when the `[` begins none and stands for itself. */
function endOfSet(pattern: string, at: number): number {
  const negated = pattern[at + 1] === '!' ? 1 : 0;
  // A `]` right behind the beginning is a member.
  return Math.max(0, pattern.indexOf(']', at + negated + 2));
}

function isInSet(character: string, set: string): boolean {
  const negated = set[0] === '!';
  const members = negated ? set.slice(1) : set;
  let found = false;
  for (let index = 0; index < members.length; index++) {
    const first = members[index] as string;
    const last = members[index + 1] === '-' ? members[index + 2] : undefined;
    if (last === undefined) found ||= first === character;
    else {
      found ||= first <= character && character <= last;
      index += 2;
    }
  }
  return found !== negated;
}
