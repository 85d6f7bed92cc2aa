import { AccessSettingsError } from './access-settings';
import type { Identity } from './identity';
import { type PermissionRule, Permissions } from './permissions';
import { TopicPattern } from './topic-pattern';

export type AccessAction = 'connect' | 'publish' | 'subscribe' | 'receive';

/** One rule of who may do what. */
export interface AccessRule {
  access: 'allow' | 'deny';
  /** Whom it concerns; the last three with a `name`. */
  who: 'everybody' | 'anonymous' | 'in-process' | 'user' | 'group' | 'client';
  /** Of the user or group, or the client identifier; one that ends in `*` stands for all that begin so. */
  name?: string;
  action: AccessAction | 'any';
  /** Topic filter, with `%u` for the user name and `%c` for the client identifier; `connect` heeds none. */
  filter?: string;
}

const WHO: readonly unknown[] = ['everybody', 'anonymous', 'in-process', 'user', 'group', 'client'];
const ACTIONS: readonly unknown[] = ['connect', 'publish', 'subscribe', 'receive', 'any'];

/** Why a rule is refused, or `undefined`. */
export function accessRuleFault({ access, who, name, action, filter }: AccessRule): string | undefined {
  if (access !== 'allow' && access !== 'deny') return `expected allow or deny, got "${access}"`;
  if (!WHO.includes(who)) return `it concerns "${who}", expected one of ${WHO.join(', ')}`;
  if (!ACTIONS.includes(action)) return `its action is "${action}", expected one of ${ACTIONS.join(', ')}`;
  if ((who === 'user' || who === 'group' || who === 'client') && !name)
    return `the name of the ${who} is missing`;
  return action === 'connect' ? undefined : TopicPattern.fault(filter ?? '');
}

/**
 * The rules of a broker, in order: the first that applies decides. Where none does, connecting and receiving are
 * allowed, and publishing and subscribing are as `otherwise` says.
 */
export class AccessRules {
  readonly #rules: readonly AccessRule[];
  readonly #otherwise: boolean;

  /** @throws AccessSettingsError a rule is not valid; the message has its number */
  constructor(rules: readonly AccessRule[] = [], otherwise: 'allow' | 'deny' = 'deny') {
    for (const [index, rule] of rules.entries()) {
      const fault = accessRuleFault(rule);
      if (fault !== undefined) throw new AccessSettingsError(`access rule ${index + 1}: ${fault}`);
    }
    this.#rules = rules;
    this.#otherwise = rules.length === 0 || otherwise === 'allow';
  }

  /** What this client may do. */
  permissionsOf(identity: Identity, clientId: string): Permissions {
    if (this.#rules.length === 0) return Permissions.unrestricted;
    const applying: PermissionRule[] = [];
    for (const rule of this.#rules) {
      if (!concerns(rule, identity, clientId)) continue;
      const allow = rule.access === 'allow';
      if (rule.action === 'connect' || rule.action === 'any') applying.push({ allow, action: 'connect' });
      if (rule.action === 'connect') continue;
      const pattern = TopicPattern.for(rule.filter ?? '', identity.username, clientId);
      if (pattern === undefined) continue;
      const actions = rule.action === 'any' ? (['publish', 'subscribe', 'receive'] as const) : [rule.action];
      for (const action of actions) applying.push({ allow, action, pattern });
    }
    return new Permissions(applying, this.#otherwise);
  }
}

function concerns({ who, name = '' }: AccessRule, identity: Identity, clientId: string): boolean {
  switch (who) {
    case 'everybody':
      return true;
    case 'anonymous':
      return identity.username === undefined;
    case 'in-process':
      return identity.inProcess;
    case 'user':
      return identity.username !== undefined && fits(name, identity.username);
    case 'group':
      return identity.groups.some((group) => fits(name, group));
    case 'client':
      return fits(name, clientId);
  }
}

function fits(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
