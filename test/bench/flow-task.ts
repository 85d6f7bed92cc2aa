import type { QoS } from '../../src/client/connection';
import type { Output, Palette } from './flows';

/** What a process of the nodes' bench is to do. */
export interface FlowTask {
  contestant: Palette | 'mqtt.js';
  /** A user directory of Node-RED, with this package in it. */
  userDir: string;
  port: number;
  protocolVersion: 4 | 5;
  qos: QoS;
  work:
    | { kind: 'receive'; filters: readonly string[]; output: Output }
    | { kind: 'publish'; topic: string; payload: string }
    | { kind: 'bare'; payload: string };
}

/** The flow runs; all subscriptions are made; SLICE messages more have come; the microseconds that a message takes. */
export type FlowReport = 'started' | 'subscribed' | 'slice' | number;

/** Sent to a process that sends, once that is seen to work. */
export const GO = 'go';
/** What messages begin with that are sent until all subscriptions are made. */
export const PROBE = 'probe';
/** Messages after which the process asks for more. */
export const SLICE = 4000;
