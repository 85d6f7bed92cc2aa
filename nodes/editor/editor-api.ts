/// <reference types="jquery" />

/** A node as the editor keeps it: its saved fields beside what the editor adds. */
export interface EditorNode {
  readonly id: string;
  readonly type: string;
  /** The flow or subflow it stands on; absent on a configuration node of the whole workspace. */
  readonly z?: string;
  /** Whether it is disabled. */
  readonly d?: boolean;
  /** `false` when a field is invalid; absent until the editor has looked. */
  readonly valid?: boolean;
  /** The nodes that use this configuration node. */
  readonly users?: readonly EditorNode[];
  name: string;
  /** The text of a key of the node's locale file. */
  _(key: string, values?: Record<string, string | number>): string;
}

/** Answers `true`, or why the value is refused. Node-RED shows the reason only of functions with two parameters. */
export type Validator<N> = (this: N, value: unknown, options: { label?: string }) => true | string;

export interface FieldDefinition<T, N> {
  value: T;
  required?: boolean;
  /** The type of the node that the field refers to; the editor gives such a field its new id on import. */
  type?: string;
  validate?: Validator<N>;
}

/** What a form is made of: see https://nodered.org/docs/creating-nodes/node-html. */
export interface NodeDefinition<F extends object> {
  category: string;
  defaults: { [K in keyof F]: FieldDefinition<F[K], EditorNode & F> };
  credentials?: Record<string, { type: 'text' | 'password' }>;
  color?: string;
  icon?: string;
  align?: 'left' | 'right';
  inputs?: 0 | 1;
  outputs?: 0 | 1 | 2;
  paletteLabel?: string;
  label(this: EditorNode & F): string;
  labelStyle?(this: EditorNode & F): string;
  outputLabels?(this: EditorNode & F, index: number): string;
  inputLabels?(this: EditorNode & F): string;
  onadd?(this: EditorNode & F): void;
  oneditprepare?(this: EditorNode & F): void;
  oneditsave?(this: EditorNode & F): void;
  oneditresize?(this: EditorNode & F, size: { width: number; height: number }): void;
}

/** A kind of value of a typed input: one that Node-RED does not have. */
export interface OwnKind {
  value: string;
  label: string;
  icon?: string;
  hasValue?: boolean;
  /** What it is chosen from. */
  options?: { value: string; label: string }[];
  validate?(value: string): true | string;
}

export interface Tooltip {
  setContent(text: string): void;
  delete(): void;
}

interface Tabs {
  addTab(tab: { id: string; label: string }): void;
  resize(): void;
}

/** The part of the editor's API that the forms use, as Node-RED 4.0 to 5.0 have it. */
export interface EditorApi {
  /** A text of the editor itself. */
  _(key: string): string;
  nodes: {
    registerType<F extends object>(type: string, definition: NodeDefinition<F>): void;
    node(id: string): EditorNode | null;
    eachNode(visit: (node: EditorNode) => boolean | undefined): void;
    eachConfig(visit: (node: EditorNode) => boolean | undefined): void;
    workspace(id: string): { label: string } | undefined;
    subflow(id: string): object | undefined;
  };
  editor: {
    validateNode(node: EditorNode): boolean;
    getEditStack(): EditorNode[];
  };
  events: { on(event: 'nodes:add' | 'nodes:remove', listener: (node: EditorNode) => void): void };
  popover: { tooltip(target: JQuery, content: string): Tooltip };
  tabs: { create(options: { element: JQuery; onchange(tab: { id: string }): void }): Tabs };
  validators: {
    /** Checks a value as the kind that stands in the field `typeField` demands. */
    typedInput(typeField: string): (this: EditorNode, value: string, options: object) => true | string;
  };
  view: { redraw(): void };
  notify(text: string, type: 'error'): void;
}

declare module '@node-red/editor-client' {
  interface WidgetTypedInput {
    // Its own declaration does not know that a check may answer the reason.
    (options: { types: (string | OwnKind)[]; typeField: JQuery }): this;
  }
}

declare global {
  const RED: EditorApi;

  interface JQuery {
    autoComplete(options: {
      minLength?: number;
      search?(text: string): { value: string; label: string }[];
      completionPluginType?: string;
      context?: { node: EditorNode };
    }): this;
  }
}
