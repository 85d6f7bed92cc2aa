import type { NodeAPI } from 'node-red';
import { hashPassword, scramVerifier } from '../src/broker/access/password-hash';
import { storedPasswords } from './access-rows';

/** Of MQTT: what CONNECT can carry. */
const MAX_PASSWORD_BYTES = 65_535;
/** One takes about 80 ms, and the editor waits for all. */
const MAX_NEW_PASSWORDS = 100;
const MAX_USERS = 10_000;

/** A user whose stored password the editor asks for: of a new password, or of what is stored of the node's user `was`. */
export type PasswordRequest =
  | { name: string; login: 'password' | 'scram'; password: string }
  | { name: string; was: string };

/**
 * Adds the route that makes of the passwords which a user types what may be stored of them:
 * `POST mqtt-ros/embedded-broker/<node id>/passwords` with a list of `PasswordRequest`, answered by an object of user
 * name -> stored password. What is stored of a user already is answered as well, as the editor cannot read the
 * credential, which it replaces as a whole; who may write flows could read it there by a flow anyway.
 */
export function servePasswords(RED: NodeAPI): void {
  RED.httpAdmin.post(
    '/mqtt-ros/embedded-broker/:id/passwords',
    RED.auth.needsPermission('flows.write'),
    (request, response) => {
      const users: unknown = request.body;
      if (!isRequest(users)) {
        response.status(400).json({ error: 'not a list of users with passwords' });
        return;
      }
      const credentials = RED.nodes.getCredentials(String(request.params.id)) as
        | { passwords?: string }
        | undefined;
      passwordsOf(users, storedPasswords(credentials?.passwords)).then(
        (passwords) => response.json(passwords),
        (error: Error) => response.status(500).json({ error: error.message }),
      );
    },
  );
}

async function passwordsOf(
  users: readonly PasswordRequest[],
  stored: ReadonlyMap<string, string>,
): Promise<Record<string, string>> {
  const passwords: [string, string][] = [];
  // One after the other: each takes a thread of the pool that all of Node-RED shares.
  for (const user of users) {
    if ('password' in user) {
      const store = user.login === 'scram' ? scramVerifier : hashPassword;
      passwords.push([user.name, await store(user.password)]);
    } else {
      const hash = stored.get(user.was);
      if (hash !== undefined) passwords.push([user.name, hash]);
    }
  }
  return Object.fromEntries(passwords);
}

function isRequest(body: unknown): body is PasswordRequest[] {
  if (!Array.isArray(body) || body.length > MAX_USERS || !body.every(isUser)) return false;
  return body.filter((user) => 'password' in user).length <= MAX_NEW_PASSWORDS;
}

function isUser(user: unknown): user is PasswordRequest {
  if (typeof user !== 'object' || user === null) return false;
  const { name, login, password, was } = user as Record<string, unknown>;
  if (typeof name !== 'string') return false;
  if (password === undefined) return typeof was === 'string';
  if (typeof password !== 'string' || Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return false;
  return login === 'password' || login === 'scram';
}
