// What the bench of the nodes measures, in a process of its own: a Node-RED with one flow, or MQTT.js without Node-RED.
// It gets its task as an argument, and sends a FlowReport whenever there is something to say.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import RED, { type Node, type NodeDef, type NodeMessage } from 'node-red';
import { type FlowReport, type FlowTask, PROBE, SLICE } from './flow-task';
import { bareFlow, type Palette, publishingFlow, SINK, SOURCE, subscribingFlow } from './flows';
import { MessageMeter } from './message-meter';

/** Messages of a source that are under way. */
const BURST = 100;
const TRIAL_MS = 100;

/** Of the runtime; its type declarations leave them out. */
interface RuntimeNodes {
  createNode(node: Node, fields: NodeDef): void;
  registerType(set: string, type: string, node: (this: Node, fields: NodeDef) => void): void;
}

const report = (what: FlowReport) => process.send?.(what);

/** Counts what is received, first the probes until one has come through each subscription. */
function receiver(subscriptions: number): (payload: unknown) => void {
  const meter = new MessageMeter(SLICE, () => report('slice'), report);
  let probe: string | undefined;
  let came = 0;
  let subscribed = false;
  return (payload) => {
    const text = subscribed ? '' : String(payload);
    if (!text.startsWith(PROBE)) return meter.count();
    if (text !== probe) [probe, came] = [text, 0];
    if (++came < subscriptions) return;
    subscribed = true;
    report('subscribed');
  };
}

/**
 * Sends in bursts, the next one when the last is done. Until it is told to go on it tries with single messages.
 * @returns what is to be called when a message is done
 */
function sender(send: () => void): () => void {
  const meter = new MessageMeter(SLICE, () => {}, report);
  let left = 0;
  const burst = () => {
    left = BURST;
    for (let sent = 0; sent < BURST; sent++) send();
  };
  const trial = setInterval(send, TRIAL_MS);
  process.once('message', () => {
    clearInterval(trial);
    // After the last trial is done.
    setTimeout(burst, TRIAL_MS);
  });
  return () => {
    if (left === 0) return;
    meter.count();
    if (--left === 0) setImmediate(burst);
  };
}

function registerEnds({ work }: FlowTask): void {
  const nodes = RED.nodes as RuntimeNodes;
  const receive = work.kind === 'receive' ? receiver(work.filters.length) : () => {};
  nodes.registerType('bench', SINK, function (this: Node, fields) {
    nodes.createNode(this, fields);
    this.on('input', (msg, _send, done) => {
      receive(msg.payload);
      done();
    });
  });
  nodes.registerType('bench', SOURCE, function (this: Node, fields: NodeDef & { wires?: string[][] }) {
    nodes.createNode(this, fields);
    const { payload } = work as { payload: string };
    const [destination] = fields.wires?.[0] ?? [];
    const done = sender(() => this.send({ payload } as NodeMessage));
    RED.hooks.add('onComplete', ({ node, error }) => {
      if (error) throw error;
      if (node.id === destination) done();
    });
  });
}

async function runFlow(task: FlowTask): Promise<void> {
  const { contestant, userDir, port, protocolVersion, qos, work } = task;
  const palette = contestant as Palette;
  const flow =
    work.kind === 'receive'
      ? subscribingFlow(palette, port, protocolVersion, work.filters, qos, work.output)
      : work.kind === 'publish'
        ? publishingFlow(palette, port, protocolVersion, work.topic, qos)
        : bareFlow();
  writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flow));
  const settings = require(join(userDir, 'settings.js'));
  RED.init(createServer(), { ...settings, userDir, logging: { console: { level: 'error' } } });
  await RED.start();
  RED.events.once('flows:started', () => report('started'));
  // The flow waits for these.
  registerEnds(task);
}

async function runClient({ port, protocolVersion, qos, work }: FlowTask): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion });
  if (work.kind === 'receive') {
    const receive = receiver(work.filters.length);
    client.on('message', (_topic, payload) => receive(payload));
    await client.subscribeAsync([...work.filters], { qos });
  } else if (work.kind === 'publish') {
    const done = sender(() =>
      client.publish(work.topic, work.payload, { qos }, (error) => {
        if (error) throw error;
        done();
      }),
    );
  }
}

process.on('disconnect', () => process.exit());
const task = JSON.parse(process.argv[2] as string) as FlowTask;
(task.contestant === 'mqtt.js' ? runClient(task) : runFlow(task)).catch((error) => {
  console.error(error);
  process.exit(1);
});
