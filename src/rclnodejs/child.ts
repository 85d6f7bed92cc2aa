import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { Drops } from './drops';
import { checkEnvironment, forbidBuilding } from './environment';
import { FrameStream, MAX_WAITING_BYTES } from './frame-stream';
import type { RclAddon, RclLibrary } from './library';
import {
  messageFrame,
  type NodeOptions,
  type Payload,
  type ProcessReport,
  type ProcessRequest,
  payloadFrame,
  readFrame,
} from './process-messages';
import { RosContexts } from './ros-context';
import { RosNode } from './ros-node';

// The child process's entry: the one place where rclnodejs is loaded. Its parent is at the other end of descriptor 3.

/** For leaving the domains, in ms. */
const LEAVE_TIMEOUT = 2000;

const socket = new Socket({ fd: 3, readable: true, writable: true });
const stream = new FrameStream(socket, (frame) => receive(frame));
const nodes = new Map<number, { node: Promise<RosNode>; release(): void }>();
const opened = new Map<number, RosNode>();
const drops = new Drops(report);
let contexts: RosContexts | undefined;
let library: RclLibrary | undefined;
let addon: RclAddon | undefined;
let isLeaving = false;

function report(message: ProcessReport): void {
  stream.send(...messageFrame(message));
}

report({ type: 'started' });
socket.on('close', () => leave());
socket.on('error', () => leave());
process.on('unhandledRejection', (error) => {
  for (const node of nodes.keys()) report({ type: 'warning', node, warning: `rclnodejs: ${String(error)}` });
});
// The library may end the process at once, and the parent must know by then that the setup file did not.
setImmediate(load);

function load(): void {
  try {
    checkEnvironment();
    forbidBuilding();
    library = require('rclnodejs') as RclLibrary;
    addon = loadedAddon();
    library.removeSignalHandlers();
    contexts = new RosContexts(library);
    report({ type: 'ready' });
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    report({ type: 'unavailable', reason });
    socket.end();
  }
}

function loadedAddon(): RclAddon {
  const found = Object.values(require.cache).find((loaded) => loaded?.filename.endsWith('rclnodejs.node'));
  if (found === undefined) throw new Error('rclnodejs has loaded, but no addon');
  return found.exports as RclAddon;
}

/** Leaves the domains in order, so that others see the nodes go; if that does not end, the process does. */
function leave(): void {
  if (isLeaving) return;
  isLeaving = true;
  new Worker(`setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${LEAVE_TIMEOUT})`, { eval: true });
  // Leaving runs the event loop inside itself, which only a timer bears.
  setTimeout(() => {
    try {
      for (const node of opened.values()) node.halt();
      library?.shutdownAll();
    } finally {
      process.exit();
    }
  }, 0);
}

function receive(frame: Buffer): void {
  const read = readFrame<ProcessRequest>(frame);
  if ('payload' in read) {
    opened.get(read.payload.node)?.take(read.payload);
    return;
  }
  const { message } = read;
  switch (message.type) {
    case 'ping':
      report({ type: 'pong' });
      break;
    case 'open':
      open(message);
      break;
    case 'close':
      close(message.node);
      break;
    case 'create':
      opened.get(message.options.node)?.create(message.options);
      break;
    case 'destroy':
      opened.get(message.node)?.destroy(message.endpoint);
      break;
    case 'time':
      opened.get(message.node)?.time(message.duration);
  }
}

function open(options: NodeOptions): void {
  let release = () => {};
  const made = (async () => {
    const acquired = await (contexts as RosContexts).acquire(options);
    release = acquired.release;
    const node = new RosNode(library as RclLibrary, addon as RclAddon, acquired.context, options, {
      report,
      payload: (payload) => send(payload, options.maxBytes),
    });
    node.open();
    return node;
  })();
  nodes.set(options.node, { node: made, release: () => release() });
  made.then(
    (node) => {
      opened.set(options.node, node);
      report({ type: 'opened', node: options.node });
    },
    (error: Error) => {
      nodes.delete(options.node);
      release();
      report({ type: 'refused', node: options.node, reason: error.message });
    },
  );
}

function close(number: number): void {
  const entry = nodes.get(number);
  nodes.delete(number);
  entry?.node.then(
    (node) => {
      opened.delete(number);
      node.close(entry.release);
    },
    () => {},
  );
}

/** To the parent; what it does not keep up with, or is too large, is dropped and told of. */
function send(payload: Payload, maxBytes: number): void {
  const { kind, node, number, cdr } = payload;
  const isLarge = cdr.length > maxBytes;
  if (!isLarge && stream.waiting <= MAX_WAITING_BYTES) {
    stream.send(...payloadFrame(payload));
    return;
  }
  const reason = isLarge ? `larger than ${maxBytes} bytes` : 'the bridge did not keep up with rclnodejs';
  if (kind === 'response') {
    report({ type: 'unanswered', node, call: number, status: 'unavailable', reason: `the reply: ${reason}` });
  } else drops.add(payload, reason);
}
