import { ENVIRONMENT_DOMAIN } from '../../src/ros/ros-environment';
import { MAX_DOMAIN } from '../../src/topic/ros-topic';
import type { EditorNode } from './editor-api';
import { isWholeNumber } from './form-fault';
import { textIn } from './list-row';
import { isVariable, type Variable } from './variables';

/** A number, or what only the runtime knows: a variable, or the domain of ROS 2 programs in Node-RED's environment. */
export type DomainId = number | typeof ENVIRONMENT_DOMAIN | Variable;

/** Why a domain is refused. */
export function domainFault(node: EditorNode, domain: unknown): string | undefined {
  const isDomain =
    domain === ENVIRONMENT_DOMAIN || isVariable(domain) || isWholeNumber(domain, 0, MAX_DOMAIN);
  return isDomain ? undefined : node._('ros-bridge.fault.domain');
}

/** Why a domain is refused that may be absent, and has to be one of the bridge's. */
export function optionalDomainFault(
  node: EditorNode,
  domain: DomainId | undefined,
  domains: readonly { id: DomainId }[],
): string | undefined {
  if (domain === undefined) return undefined;
  const isMissing = !domains.some(({ id }) => id === domain);
  return (
    domainFault(node, domain) ??
    (isMissing ? node._('ros-bridge.fault.domainMissing', { domain }) : undefined)
  );
}

/** What stands in an input; what is no number stays NaN, which no check accepts and the flow file keeps as null. */
export function domainIn(row: JQuery, selector: string): DomainId {
  const text = textIn(row, selector);
  if (text === ENVIRONMENT_DOMAIN || isVariable(text)) return text;
  return text === '' ? Number.NaN : Number(text);
}
