import type { NodeAPI } from 'node-red';

/** The text of a node's locale file under a key, with `values` in the places that it names. */
export type NodeText = (key: string, values?: Record<string, string | number>) => string;

/** The texts of a type of nodes, in the language of this Node-RED. */
export const nodeText =
  (RED: NodeAPI, type: string): NodeText =>
  (key, values = {}) =>
    RED._(`${type}.${key}`, values);
