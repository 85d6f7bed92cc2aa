/**
 * A URL as it may be shown and logged: without user info, query and fragment, in which there may be a password or a
 * token (RFC 3986 section 7.5). Also takes text that is no URL.
 */
export function shownUrl(text: string): string {
  // In what cannot be parsed a password may have any character.
  const userInfo = URL.canParse(text) ? /^(\w+:\/*)?[^/?#]*@/ : /^(\w+:\/*)?.*@/s;
  return text.replace(userInfo, '$1').replace(/[?#].*/s, '');
}
