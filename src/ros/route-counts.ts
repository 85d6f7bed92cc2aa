/** Why a message was not carried. */
export type DropReason =
  /** Nothing told the type of an automatic route in time. */
  | 'unknown-type'
  /** Not of the route's interface type, or too large. */
  | 'invalid'
  /** Its payload is empty: that is no message, but clears what the broker has stored [MQTT-3.3.1-6]. */
  | 'empty'
  /**
   * It has come from where it would go: the bridge's own message, or one that another bridge has carried from there; or
   * it may have, because nothing tells.
   */
  | 'echo'
  /** It has come back over other bridges. */
  | 'ring'
  /** Another bridge carries it. */
  | 'standby'
  /** No connection to the broker. */
  | 'offline'
  /** More waits for the broker's acknowledgement than the bound allows. */
  | 'in-flight'
  /** The broker refused it, or the connection ended before the acknowledgement. */
  | 'unacknowledged'
  /** More than the rate that the route is limited to. */
  | 'rate'
  /** Nothing new, by the route's deadband. */
  | 'deadband'
  /** The flows' thread did not read in time. */
  | 'flow'
  /** A request asks for its reply on a topic that the bridge does not reply to. */
  | 'response-topic'
  /** Nobody was there to reply, or too much was already under way. */
  | 'unavailable'
  /** No reply in time. */
  | 'timeout'
  /** A goal that the server of its action did not want. */
  | 'rejected';

/** What a route carried and dropped since the bridge opened; plain enough to cross between threads. */
export interface RouteCounts {
  rosReceived: number;
  /** Of CDR. */
  rosReceivedBytes: number;
  /** What publishers sent and never came, by their sequence numbers. */
  rosLost: number;
  /** Times that a deadline passed without a message, asked for or offered. */
  deadlinesMissed: number;
  rosPublished: number;
  /** Of CDR. */
  rosPublishedBytes: number;
  mqttReceived: number;
  /** Of payloads. */
  mqttReceivedBytes: number;
  mqttPublished: number;
  mqttPublishedBytes: number;
  /** Messages to the flow. */
  flowPublished: number;
  dropped: Partial<Record<DropReason, number>>;
}

export function newRouteCounts(): RouteCounts {
  return {
    rosReceived: 0,
    rosReceivedBytes: 0,
    rosLost: 0,
    deadlinesMissed: 0,
    rosPublished: 0,
    rosPublishedBytes: 0,
    mqttReceived: 0,
    mqttReceivedBytes: 0,
    mqttPublished: 0,
    mqttPublishedBytes: 0,
    flowPublished: 0,
    dropped: {},
  };
}

export function countDrop({ dropped }: RouteCounts, reason: DropReason): void {
  dropped[reason] = (dropped[reason] ?? 0) + 1;
}

/** A number that is larger after any change of the counts. */
export function countsMark(counts: RouteCounts): number {
  // Of what does not reach the flow it is counted back while a drop is counted; no other ever gets smaller.
  let mark = -counts.flowPublished / 2;
  for (const name in counts)
    if (name !== 'dropped') mark += counts[name as Exclude<keyof RouteCounts, 'dropped'>];
  for (const reason in counts.dropped) mark += counts.dropped[reason as DropReason] as number;
  return mark;
}

/** Adds what was counted before. */
export function addCounts(counts: RouteCounts, { dropped, ...numbers }: RouteCounts): void {
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) counts[name] += numbers[name];
  for (const [reason, count] of Object.entries(dropped) as [DropReason, number][]) {
    counts.dropped[reason] = (counts.dropped[reason] ?? 0) + count;
  }
}
