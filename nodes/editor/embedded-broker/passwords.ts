import { storedPasswords, type UserRow } from '../../access-rows';
import type { EditorNode } from '../editor-api';
import type { EditedUser } from './user-list';

/** What an input of a credential has in place of one that the runtime keeps and does not tell. */
const KEPT = '__PWRD__';

/**
 * What is stored of the users' passwords, as text of the credential that has them all, made by the runtime: a password
 * itself stays in neither the flow nor the credentials. `credential` is the present text, which the editor knows only
 * until it is deployed; where it does not, the runtime adds what it has stored.
 *
 * The runtime is asked synchronously: Node-RED leaves a form within one turn, and what came later could miss a deploy.
 * When it cannot be reached the user is told and the credential stays as it is.
 */
export function savePasswords(
  node: EditorNode & { accessUsers?: readonly UserRow[] },
  users: readonly EditedUser[],
  credential: string,
): { users: UserRow[]; credential: string } {
  const known = storedPasswords(credential === KEPT ? '' : credential);
  const asIs = (user: EditedUser) => user.password === '' && (user.was ?? user.name) === user.name;
  const removed = (node.accessUsers ?? []).some(
    ({ name, hasPassword }) => hasPassword && !users.some(({ was }) => was === name),
  );
  if (users.every(asIs) && !removed) return { users: users.map(rowOf), credential };

  const passwords = new Map<string, string>();
  const wanted: object[] = [];
  for (const { name, login, password, was } of users) {
    if (password !== '') wanted.push({ name, login, password });
    else if (was !== undefined && credential === KEPT) wanted.push({ name, was });
    else if (was !== undefined) passwords.set(name, known.get(was) ?? '');
  }
  if (wanted.length > 0) {
    const answer = ask(node.id, wanted);
    if (typeof answer === 'string') {
      RED.notify(node._('embedded-broker.fault.passwords', { reason: answer }), 'error');
      return {
        users: users.map((user) => ({ ...rowOf(user), hasPassword: user.was === user.name })),
        credential,
      };
    }
    for (const [name, stored] of Object.entries(answer)) passwords.set(name, stored);
  }
  return {
    users: users.map((user) => ({ ...rowOf(user), hasPassword: Boolean(passwords.get(user.name)) })),
    credential: passwords.size === 0 ? '' : JSON.stringify(Object.fromEntries(passwords)),
  };
}

function rowOf({ name, groups, login, hasPassword }: EditedUser): UserRow {
  return { name, groups, login, hasPassword };
}

/** What the runtime answers, or why it does not. */
function ask(nodeId: string, wanted: readonly object[]): Record<string, string> | string {
  const request = $.ajax({
    method: 'POST',
    url: `mqtt-ros/embedded-broker/${encodeURIComponent(nodeId)}/passwords`,
    contentType: 'application/json',
    data: JSON.stringify(wanted),
    async: false,
  });
  if (request.status === 200) return request.responseJSON;
  return request.responseJSON?.error ?? (request.statusText || String(request.status));
}
