import type { BridgeState } from '../ros/bridge-handle';
import type { Brokers } from './brokers';
import type { GatewaySources } from './gateway-settings';
import { objectOf } from './json-schema';
import { type Operation, operation } from './operation';

const PART = objectOf(
  {
    id: { type: 'string' },
    name: { type: 'string' },
    state: { type: 'string' },
    reason: { type: 'string', description: 'Why it is in this state, in words' },
  },
  ['reason'],
);

const HEALTH = objectOf({
  status: {
    type: 'string',
    enum: ['ok', 'degraded'],
    description: '`degraded` where there are problems',
  },
  version: { type: 'string' },
  uptime: { type: 'number', description: 'Seconds' },
  brokers: { type: 'array', items: PART },
  embedded_brokers: { type: 'array', items: PART },
  bridges: { type: 'array', items: PART },
  problems: { type: 'array', items: { type: 'string' }, description: 'What does not work, in words' },
});

/** `GET /health`. */
export function healthOperations(version: string, sources: GatewaySources, brokers: Brokers): Operation[] {
  const startedAt = performance.now();
  return [
    operation({
      method: 'GET',
      path: '/health',
      operationId: 'getHealth',
      summary: 'Whether all of it works',
      permission: 'read',
      answer: { status: 200, description: 'How it is', schema: HEALTH },
      run: () => {
        const embedded = [...(sources.embeddedBrokers?.() ?? [])].map(({ id, name, broker }) => {
          const { state, reason } = broker.status;
          return { id, name, state, ...(reason !== undefined && { reason }) };
        });
        const bridges = [...(sources.bridges?.() ?? [])].map(({ id, name, bridge }) => ({
          part: {
            id,
            name,
            state: bridge.state.state,
            ...('reason' in bridge.state && { reason: bridge.state.reason }),
          },
          problems: problemsOf(bridge.state).map((problem) => `bridge ${name}: ${problem}`),
        }));
        const connections = [...brokers.all()].map(({ id, name, status: { state, reason } }) => ({
          id,
          name,
          state,
          ...(reason !== undefined && { reason }),
        }));
        const problems = [
          ...connections
            .filter(({ state }) => state === 'error' || state === 'reconnecting')
            .map(({ name, state, reason }) => `broker ${name}: ${reason ?? state}`),
          ...embedded
            .filter(({ state }) => state === 'error' || state === 'restarting')
            .map(({ name, state, reason }) => `embedded broker ${name}: ${reason ?? state}`),
          ...bridges.flatMap((bridge) => bridge.problems),
        ];
        return {
          status: problems.length === 0 ? 'ok' : 'degraded',
          version,
          uptime: (performance.now() - startedAt) / 1000,
          brokers: connections,
          embedded_brokers: embedded,
          bridges: bridges.map(({ part }) => part),
          problems,
        };
      },
    }),
  ];
}

function problemsOf(state: BridgeState): string[] {
  if (state.state === 'restarting') return [state.reason];
  if (state.state !== 'open') return [];
  const { mqtt, domains, routes, patterns } = state;
  const found = [
    mqtt === undefined || mqtt.state === 'connected' ? undefined : (mqtt.reason ?? `MQTT: ${mqtt.state}`),
    ...domains.map(({ problem }) => problem),
    ...routes.map(({ problem }) => problem),
    patterns?.problem,
  ];
  return found.filter((problem) => problem !== undefined);
}
