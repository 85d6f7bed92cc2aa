import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Node, NodeAPI } from 'node-red';
import { Gateway, type GatewaySources, type KnownConnection } from '../src/gateway/gateway';
import type { EmbeddedBrokerNode } from './embedded-broker';
import type { BrokerConfigNode } from './mqtt-broker-config';
import type { RosBridgeNode } from './ros-bridge';

const PATH = '/mqtt-ros/v1';

/** `mqttRosGateway` of settings.js. */
interface GatewayFileSettings {
  /** Default: true. */
  enabled?: boolean;
  /** Host names by which anybody may ask Node-RED: without adminAuth, or by its `default`, others than addresses are refused. */
  hosts?: string[];
  /** Origins of web pages that may call, besides pages of Node-RED's own host. */
  origins?: string[];
  /** Whether callers may connect and disconnect the brokers of the flows. */
  controlNodes?: boolean;
}

/** Of the runtime that this process has; tests have several, one after the other. */
let unmount: (() => void) | undefined;

/**
 * Serves the gateway API below `<httpAdminRoot>/mqtt-ros/v1`, over the brokers and bridges of the flows, to whom adminAuth
 * gives `mqtt-ros.read` and `mqtt-ros.write`.
 */
export function mountGateway(RED: NodeAPI): void {
  unmount?.();
  unmount = undefined;
  const { mqttRosGateway, httpAdminRoot } = RED.settings as unknown as {
    mqttRosGateway?: GatewayFileSettings;
    httpAdminRoot?: string | false;
  };
  const { enabled = true, hosts = [], origins = [], controlNodes = false } = mqttRosGateway ?? {};
  // Without an admin root there is no admin app, whatever the type says.
  if (!enabled || httpAdminRoot === false || !RED.httpAdmin) return;
  const gateway = new Gateway({
    version: packageVersion(),
    path: `/${httpAdminRoot ?? ''}${PATH}`.replaceAll(/\/+/g, '/'),
    // Requests to upgrade do not pass the admin app, which asks callers.
    guard: { hosts, origins, ticketsOnly: true },
    sources: sourcesOf(RED, controlNodes),
  });
  // The place in the admin app stays when the nodes are loaded again, as they are when they are installed again.
  let isMounted = true;
  type Handler = ReturnType<typeof RED.auth.needsPermission>;
  type Asked = Parameters<Handler>;
  const ask: Handler = (request, response, next) =>
    RED.auth.needsPermission(`mqtt-ros.${gateway.permissionFor(request)}`)(request, response, next);
  const answer = (request: Asked[0], response: Asked[1], bodyFault?: BodyParserError) => {
    const { body } = request;
    void gateway.handle(request, response, {
      ...(bodyFault === undefined ? { body } : { bodyFault }),
      isKnown: isKnown(request),
    });
  };
  RED.httpAdmin.use(PATH, (request, response, next) =>
    isMounted ? ask(request, response, () => answer(request, response)) : next(),
  );
  // Node-RED's body parser stands in the app that the nodes' is mounted in, and what it finds wrong passes by the nodes'.
  const { parent = RED.httpAdmin } = RED.httpAdmin as typeof RED.httpAdmin & {
    parent?: typeof RED.httpAdmin;
  };
  parent.use(PATH, (error: unknown, request: Asked[0], response: Asked[1], next: Asked[2]) =>
    isMounted && isOfBodyParser(error)
      ? ask(request, response, () => answer(request, response, error))
      : next(error),
  );
  const { server } = RED;
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Other paths are for others, who listen as well.
    gateway.upgrade(server, request, socket, head);
  };
  const onStarted = () => gateway.renew();
  server?.on('upgrade', onUpgrade);
  RED.events.on('flows:started', onStarted);
  unmount = () => {
    isMounted = false;
    server?.off('upgrade', onUpgrade);
    RED.events.off('flows:started', onStarted);
    void gateway.close();
  };
}

interface BodyParserError {
  type: string;
  status: number;
  message: string;
}

const isOfBodyParser = (error: unknown): error is BodyParserError =>
  error instanceof Error && 'type' in error && 'status' in error;

/** Whether the caller is somebody whom adminAuth knows, and not anybody, to whom it may give permissions by its `default`. */
function isKnown({ user }: { user?: { anonymous?: boolean } | undefined }): boolean {
  return user !== undefined && user.anonymous !== true;
}

function sourcesOf(RED: NodeAPI, controlNodes: boolean): GatewaySources {
  function* nodesOf<Kind extends Node>(type: Kind['type']): Generator<Kind> {
    const ids: string[] = [];
    RED.nodes.eachNode((each) => {
      if (each.type === type) ids.push(each.id);
    });
    for (const id of ids) {
      // There is none in a flow that is disabled.
      const node = RED.nodes.getNode(id) as Kind | null;
      if (node !== null && node.type === type) yield node;
    }
  }
  return {
    *connections() {
      for (const node of nodesOf<BrokerConfigNode>('mqtt-broker-config')) yield known(node, controlNodes);
    },
    *embeddedBrokers() {
      for (const { id, name, thread } of nodesOf<EmbeddedBrokerNode>('embedded-broker')) {
        if (thread !== undefined) yield { id, name: name || id, broker: thread };
      }
    },
    *bridges() {
      for (const { id, name, bridge, at } of nodesOf<RosBridgeNode>('ros-bridge')) {
        if (bridge !== undefined) yield { id, name: name || id, bridge, at };
      }
    },
  };
}

function known(node: BrokerConfigNode, controlNodes: boolean): KnownConnection {
  const { id, name } = node;
  const common = {
    id,
    name: name || id,
    acquire: () => node.acquire(),
    release: (connection: Parameters<BrokerConfigNode['release']>[0]) => node.release(connection),
    ...(controlNodes && {
      control: { connect: () => node.connect(), disconnect: () => node.disconnect() },
    }),
  };
  try {
    return { ...common, shown: node.shownSettings(), status: node.connectionStatus() };
  } catch (error) {
    return { ...common, status: { state: 'error', reason: (error as Error).message } };
  }
}

function packageVersion(): string {
  const text = readFileSync(join(__dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
