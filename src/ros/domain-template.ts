import type { Namespace } from '../topic/namespace-mapping';
import type { BridgeSettings, NamespaceRow, RouteRow } from './bridge-settings';

type Domains = Pick<BridgeSettings, 'domains' | 'aliases'>;

const PLACEHOLDER = /\{([^{}]*)\}/g;

/**
 * A text that holds for several domains as it is for one of them: `{domain}` stands for its number, `{name}` for its
 * alias. What stands for nothing stays; `placeholderFault` says so.
 */
export function fillIn(text: string, domain: number, aliases: Domains['aliases']): string {
  return text.replace(PLACEHOLDER, (placeholder, key) => {
    if (key === 'domain') return String(domain);
    const alias = key === 'name' && Object.keys(aliases).find((each) => aliases[each] === domain);
    return alias || placeholder;
  });
}

/** Says what is wrong with a text in which a placeholder was left, or `undefined` where there is none. */
export function placeholderFault(text: string): string | undefined {
  const [placeholder] = text.match(PLACEHOLDER) ?? [];
  if (placeholder === undefined) return undefined;
  const reason = placeholder === '{name}' ? 'the domain has no alias' : 'expected {domain} or {name}';
  return `"${text}": ${placeholder}: ${reason}`;
}

/** The routes that a row stands for: one, or where it names no domain one in each of the bridge. */
export function routesOf<Row extends Pick<RouteRow, 'domain' | 'rosName' | 'mqttTopic'>>(
  row: Row,
  { domains, aliases }: Domains,
): Array<Row & { domain: number }> {
  const { rosName, mqttTopic } = row;
  return (row.domain === undefined ? domains : [row.domain]).map((domain) => ({
    ...row,
    domain,
    rosName: fillIn(rosName, domain, aliases),
    ...(mqttTopic !== undefined && { mqttTopic: fillIn(mqttTopic, domain, aliases) }),
  }));
}

/** The namespaces that rows stand for, likewise. Throws an Error where a placeholder stands for nothing. */
export function namespacesOf(rows: readonly NamespaceRow[], { domains, aliases }: Domains): Namespace[] {
  return rows.flatMap((row) =>
    (row.domain === undefined ? domains : [row.domain]).map((domain) => {
      const [ros, mqtt] = [row.ros, row.mqtt].map((text) => fillIn(text, domain, aliases)) as [
        string,
        string,
      ];
      const fault = placeholderFault(ros) ?? placeholderFault(mqtt);
      if (fault !== undefined) throw new Error(`namespace ${fault} (domain ${domain})`);
      return { domain, ros, mqtt };
    }),
  );
}
