/** What is used of rclnodejs 2.x, as measured and read in 2.2.0; its own declarations describe more, and some of it wrongly. */
export interface RclLibrary {
  Context: new (domain: bigint) => RclContext;
  Node: new (name: string, namespace: string, context: RclContext, options: RclNodeOptions) => RclNode;
  QoS: new (history: number, depth: number, reliability: number, durability: number) => object;
  ActionClient: new (node: RclNode, type: ActionClass, action: string, options: object) => RclActionClient;
  /** `execute` belongs to what is not used of it: what comes is taken by its `process…` methods. */
  ActionServer: new (
    node: RclNode,
    type: ActionClass,
    action: string,
    execute: () => void,
  ) => RclActionServer;
  /** The first call may generate the classes of the installed interface types, which takes seconds. */
  init(context: RclContext, argv: string[]): Promise<void>;
  /** The class of an interface type; throws when it is not installed. */
  require(type: string): unknown;
  serializeMessage(message: object, messageClass: MessageClass): Buffer;
  /** Fewer than 4 bytes kill the process or give a message of defaults. */
  deserializeMessage(cdr: Buffer, messageClass: MessageClass): Message;
  removeSignalHandlers(): void;
  shutdownAll(): void;
}

export interface RclContext {
  shutdown(): void;
}

export interface RclNodeOptions {
  startParameterServices: boolean;
  enableRosout: boolean;
  startTypeDescriptionService: boolean;
}

/** A C structure that JavaScript holds. */
export interface RefObject {
  ref(): Buffer;
}

/** A message as a C structure. */
export interface Message {
  /** Initialises the structure, to be filled from C, and points to it. */
  toRawROS(): Buffer;
  readonly refObject: RefObject;
}

/** The generated class of a message. */
export interface MessageClass {
  new (): Message;
  type(): object;
  /** Frees what C allocated in the structure. */
  destroyRawROS(message: Message): void;
}

export interface MessageClasses {
  readonly Request: MessageClass;
  readonly Response: MessageClass;
}

/** The generated class of a service. */
export interface ServiceClass extends MessageClasses {
  type(): object;
}

/** The generated class of an action. */
export interface ActionClass {
  type(): object;
  readonly impl: ActionParts;
}

export interface ActionParts {
  readonly SendGoalService: MessageClasses;
  readonly GetResultService: MessageClasses;
  readonly CancelGoal: MessageClasses;
  readonly FeedbackMessage: MessageClass;
  readonly GoalStatusArray: MessageClass;
}

export interface RclSubscription {
  readonly handle: object;
  /** Destroyed with it. */
  events: RclEvent[];
}

/** An event of the middleware; the library waits for those among the node's `_events`. */
export interface RclEvent {
  readonly handle: object;
  /** The same; read from C. */
  readonly _handle: object;
  /** Called when it has happened. */
  takeData(): void;
}

/** What the middleware tells of a message beside it; -1 where it does not tell. */
export interface MessageInfo {
  /** Nanoseconds since the epoch. */
  readonly source_timestamp: bigint;
  /** Counts the publisher's messages. */
  readonly publication_sequence_number: bigint;
  /** With some middlewares the first 16 bytes are the GUID, with others a number that only this process has. */
  readonly publisher_gid: Buffer;
}

export interface RclGuardCondition {
  /** Ends a wait of the node. */
  trigger(): void;
}

export interface RclPublisher {
  publish(cdr: Buffer): void;
}

export interface RclClient {
  isServiceServerAvailable(): boolean;
  /** `request` is an instance of the request class that the client was made with. */
  sendRequestAsync(request: object, options: { signal: AbortSignal }): Promise<unknown>;
}

/** Its `process…` methods are called with what was received, an instance of a class in its type's `impl`. */
export interface RclActionClient {
  readonly handle: object;
  processGoalResponse(sequence: number, response: unknown): void;
  processCancelResponse(sequence: number, response: unknown): void;
  processResultResponse(sequence: number, response: unknown): void;
  processFeedbackMessage(message: unknown): void;
  processStatusMessage(message: unknown): void;
  isActionServerAvailable(): boolean;
  destroy(): void;
}

/** As the client; a `header` belongs to the request that it came with. */
export interface RclActionServer {
  readonly handle: object;
  processGoalRequest(header: object, request: unknown): void;
  processCancelRequest(header: object, request: unknown): void;
  processResultRequest(header: object, request: unknown): void;
  destroy(): void;
}

/** What is used of the library's addon, which the library itself does not export. Messages are C structures. */
export interface RclAddon {
  /** What waits in a raw subscription; `undefined` when nothing does. */
  rclTakeRaw(subscription: object): Buffer | undefined;
  /** The same into a structure that `toRawROS` has initialised, which may have been filled before. */
  rclTakeWithInfo(subscription: object, structure: Buffer): MessageInfo | undefined;
  /** Throws where the middleware does not know the event. */
  createSubscriptionEventHandle(subscription: object, event: number): object;
  takeEvent(event: object, type: { subscription_event_type: number }): { total_count_change: number };
  /** Gives the request's sequence number. */
  actionSendGoalRequest(client: object, request: Buffer): number;
  actionSendCancelRequest(client: object, request: Buffer): number;
  actionSendResultRequest(client: object, request: Buffer): number;
  actionSendGoalResponse(server: object, header: object, response: Buffer): void;
  actionSendCancelResponse(server: object, header: object, response: Buffer): void;
  actionSendResultResponse(server: object, header: object, response: Buffer): void;
}

export interface RclResponse {
  /** What the response class that the service was made with is constructed from. */
  send(response: unknown): void;
}

export interface NamesAndTypes {
  name: string;
  types: string[];
}

/** 0 is none given, 9223372036 seconds and more no limit. */
export interface Span {
  seconds: bigint;
  nanoseconds: number;
}

export interface EndpointInfo {
  node_name: string;
  node_namespace: string;
  topic_type: string;
  /** Version 0 is none. Absent in ROS 2 Humble. */
  topic_type_hash?: { version: number; value: Uint8Array };
  endpoint_gid: readonly number[];
  qos_profile: {
    depth: number;
    reliability: number;
    durability: number;
    lifespan: Span;
    deadline: Span;
    liveliness: number;
    liveliness_lease_duration: Span;
  };
}

export interface RclNode {
  readonly _events: RclEvent[];
  /** Called from C with what is ready; a throw out of it kills the process. */
  execute(handles: object[]): void;
  /** Reads the handles that it waits for. @param timeout of a wait in ms, for which creating, destroying and stopping block */
  spin(timeout: number): void;
  /** Runs the event loop inside itself. */
  stop(): void;
  createGuardCondition(callback: () => void): RclGuardCondition;
  destroy(): void;
  createPublisher(type: string, topic: string, options: { qos: object }): RclPublisher;
  createSubscription(
    type: string,
    topic: string,
    options: { qos: object; isRaw: true },
    callback: (cdr: Buffer) => void,
  ): RclSubscription;
  createClient(type: ServiceClass, service: string, options: { qos: object }): RclClient;
  createService(
    type: ServiceClass,
    service: string,
    options: { qos: object },
    callback: (request: unknown, response: RclResponse) => void,
  ): object;
  destroyPublisher(publisher: object): void;
  destroySubscription(subscription: RclSubscription): void;
  destroyClient(client: object): void;
  destroyService(service: object): void;
  getTopicNamesAndTypes(): NamesAndTypes[];
  getPublishersInfoByTopic(topic: string, noDemangle: boolean): EndpointInfo[];
  getSubscriptionsInfoByTopic(topic: string, noDemangle: boolean): EndpointInfo[];
  getNodeNamesAndNamespaces(): Array<{ name: string; namespace: string }>;
  getServiceNamesAndTypes(): NamesAndTypes[];
  countServices(service: string): number;
  countClients(service: string): number;
  getServiceNamesAndTypesByNode(name: string, namespace: string): NamesAndTypes[];
  getClientNamesAndTypesByNode(name: string, namespace: string): NamesAndTypes[];
}

/** rmw's enumerations. */
export const MESSAGE_LOST = 3;
export const KEEP_LAST = 1;
export const RELIABLE = 1;
export const BEST_EFFORT = 2;
export const TRANSIENT_LOCAL = 1;
export const VOLATILE = 2;
export const MANUAL_BY_TOPIC = 3;
/** rmw's infinite time, in whole seconds. */
export const INFINITE_SECONDS = 9_223_372_036n;
