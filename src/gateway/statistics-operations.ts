import { METRICS_TYPE, metricsText } from './metrics';
import { type Operation, operation } from './operation';
import { type CountedParts, collectStatistics } from './statistics';
import { STATISTICS_SCHEMA } from './statistics-schema';

/** `GET /stats` and `GET /metrics`. */
export function statisticsOperations(version: string, parts: CountedParts): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/stats',
      operationId: 'getStatistics',
      summary: 'What is counted of connections, subscriptions, WebSockets, embedded brokers and bridges',
      permission: 'read',
      answer: { status: 200, description: 'Counts since each was made', schema: STATISTICS_SCHEMA },
      run: () => collectStatistics(parts),
    }),
    operation({
      method: 'GET',
      path: '/metrics',
      operationId: 'getMetrics',
      summary: 'The same in the text format of Prometheus',
      permission: 'read',
      answer: {
        status: 200,
        description: 'Metrics',
        schema: { type: 'string' },
        contentType: METRICS_TYPE,
      },
      run: async () => metricsText(await collectStatistics(parts), version),
    }),
  ];
}
