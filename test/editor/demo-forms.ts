import { strict as assert } from 'node:assert';
import type { EditorPage, FlowNode } from './editor-page';
import { type EditorSession, inEachEditor, nodeOf, readFlow } from './editor-session';

/** As a user types it who leaves a value to the runtime's environment. */
export const variable = (name: string) => `\${${name}}`;

/** The forms of the demo's nodes, each test anew. */
export class DemoForms {
  readonly #session: EditorSession;
  #flow: FlowNode[] = [];

  constructor(session: EditorSession) {
    this.#session = session;
  }

  get editor(): EditorPage {
    return this.#session.editor;
  }

  async open(): Promise<void> {
    this.#flow = await readFlow('demo/flows.json');
    await this.editor.importFlow(this.#flow);
  }

  /** The demo's node of a type, as it is imported. */
  node(type: string): FlowNode {
    return nodeOf(this.#flow, type);
  }

  id(type: string): string {
    return this.node(type).id;
  }

  /** A node as the editor would deploy it. */
  async saved(nodeId: string): Promise<FlowNode | undefined> {
    return (await this.editor.flows()).find((node) => node.id === nodeId);
  }

  /** Changes fields, saves, opens the form again and finds the values. */
  async keeps(type: string, values: Record<string, string>): Promise<void> {
    const { editor } = this;
    await editor.openForm(this.id(type));
    for (const [name, value] of Object.entries(values)) {
      const field = editor.page.locator(`#node-input-${name}`);
      if ((await field.evaluate((element) => element.tagName)) === 'SELECT') await field.selectOption(value);
      else await editor.enter(field, value);
    }
    await editor.done();
    await editor.openForm(this.id(type));
    for (const [name, value] of Object.entries(values)) {
      assert.equal(await editor.page.locator(`#node-input-${name}`).inputValue(), value);
    }
    assert.deepEqual(await editor.invalidNodes(), []);
  }

  /** Enters values that are refused: the form says why, and once saved the editor marks the node. */
  async refuses(type: string, name: string, cases: readonly [string, RegExp][]): Promise<void> {
    const { editor } = this;
    await editor.openForm(this.id(type));
    for (const [value, reason] of cases) {
      await editor.enter(`#node-input-${name}`, value);
      await editor.seesReason(`#node-input-${name}`, reason);
    }
    await editor.done();
    assert.match((await editor.invalidNodes()).join(), new RegExp(`${type} ${this.id(type)}`));
  }
}

/** A suite on the demo's flow, imported for each of its tests. */
export function inEachDemo(title: string, tests: (forms: DemoForms) => void): void {
  inEachEditor(title, (session) => {
    const forms = new DemoForms(session);
    beforeEach(() => forms.open());
    tests(forms);
  });
}
