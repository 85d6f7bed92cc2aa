/** Whether a topic name exists that matches both valid filters (without `$share` prefixes); MQTT 5.0 section 4.7. */
export function filtersOverlap(a: string, b: string): boolean {
  const left = a.split('/');
  const right = b.split('/');
  // Leading wildcards do not match topics that start with "$" [MQTT-4.7.2-1].
  const wildcard = (level: string | undefined) => level === '+' || level === '#';
  if (wildcard(left[0]) && right[0]?.startsWith('$')) return false;
  if (wildcard(right[0]) && left[0]?.startsWith('$')) return false;
  for (let index = 0; ; index++) {
    const l = left[index];
    const r = right[index];
    // "a/#" also matches "a", so a "#" overlaps whatever is left of the other, even nothing.
    if (l === '#' || r === '#') return true;
    if (l === undefined || r === undefined) return l === r;
    if (l !== r && l !== '+' && r !== '+') return false;
  }
}
