import { strict as assert } from 'node:assert';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';

/** A node of a flow file. */
export interface FlowNode {
  id: string;
  type: string;
  [field: string]: unknown;
}

interface EditedNode extends FlowNode {
  valid?: boolean;
  validationErrors?: unknown[];
}

// What runs in the page sees the editor's globals.
declare const $: { (selector: string): { hide(): void }; fx: { off: boolean } };
declare const RED: {
  nodes: {
    getType(type: string): object | undefined;
    getNodeHelp(type: string): string;
    createCompleteNodeSet(): FlowNode[];
    eachConfig(visit: (node: EditedNode) => void): void;
    eachNode(visit: (node: EditedNode) => void): void;
    clear(): void;
    dirty(dirty: boolean): void;
    version(revision: string | null): void;
  };
  history: { clear(): void };
  popover: { create(options: { delay?: object }): object };
  actions: { invoke(action: string): void };
  view: { reveal(id: string): void };
  editor: { editConfig(name: string, type: string, id: string): void };
};

/** The tests' browser; it reaches no other host than 127.0.0.1. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      // Blocked here and not by a route of Playwright, which would switch the browser's cache off.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
}

/** The editor of a running Node-RED as its user sees it: what is done here is done with mouse and keyboard. */
export class EditorPage {
  /** Everything that the browser's console reported as an error, and every exception. */
  readonly problems: string[] = [];
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(context: BrowserContext, url: string): Promise<EditorPage> {
    const editor = new EditorPage(await context.newPage());
    editor.page.on('pageerror', (error) => editor.problems.push(error.message));
    editor.page.on('console', (message) => {
      if (message.type() === 'error') editor.problems.push(message.text());
    });
    await editor.page.goto(url);
    await editor.page.waitForFunction(() => RED.nodes?.getType('ros-bridge') !== undefined);
    await editor.page.locator('#red-ui-loading-progress').waitFor({ state: 'hidden' });
    // Nobody enjoys them here: what fades and slides, and how long a mouse must rest before a tooltip comes.
    await editor.page.evaluate(() => {
      $.fx.off = true;
      const { create } = RED.popover;
      RED.popover.create = (options) => create({ ...options, delay: { show: 1, hide: 1 } });
    });
    return editor;
  }

  /** Makes it an editor that was just opened on an empty runtime, as which it leaves that. */
  async clear(): Promise<void> {
    for (const dialog of ['#node-config-dialog-cancel', '#node-dialog-cancel']) {
      const cancel = this.page.locator(dialog);
      if ((await cancel.count()) === 0) continue;
      await cancel.click();
      await cancel.waitFor({ state: 'detached' });
    }
    await this.page.evaluate(async () => {
      // It need not ask what to do about a change of the runtime's flows that it makes itself.
      RED.nodes.version(null);
      const answer = await fetch('flows', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Node-RED-API-Version': 'v2' },
        body: JSON.stringify({ flows: [] }),
      });
      RED.nodes.clear();
      RED.nodes.version(((await answer.json()) as { rev: string }).rev);
      RED.actions.invoke('core:add-flow');
      RED.actions.invoke('core:clear-debug-messages');
      RED.history.clear();
      RED.nodes.dirty(false);
      $('.red-ui-notification').hide();
    });
  }

  close(): Promise<void> {
    return this.page.close();
  }

  /** Imports flows through the import dialog; where they are there already, as a copy. */
  async importFlow(nodes: readonly FlowNode[]): Promise<void> {
    await this.page.evaluate(() => RED.actions.invoke('core:show-import-dialog'));
    const text = this.page.locator('#red-ui-clipboard-dialog-import-text');
    await text.fill(JSON.stringify(nodes));
    // The dialog looks at the text on a key press.
    await text.press('End');
    await this.page.locator('#red-ui-clipboard-dialog-ok:not(.disabled)').click();
    await text.waitFor({ state: 'hidden' });
    const copy = this.page.locator('.red-ui-notification button', { hasText: 'Import copy' });
    if (await copy.isVisible()) await copy.click();
  }

  /** All nodes of the workspace as a flow file has them. */
  flows(): Promise<FlowNode[]> {
    return this.page.evaluate(() => RED.nodes.createCompleteNodeSet());
  }

  /** What the editor finds invalid, in words. */
  invalidNodes(): Promise<string[]> {
    return this.page.evaluate(() => {
      const invalid: string[] = [];
      const look = (node: EditedNode) => {
        if (node.type === 'unknown' || node.valid === false) {
          invalid.push(`${node.type} ${node.id}: ${JSON.stringify(node.validationErrors)}`);
        }
      };
      RED.nodes.eachNode(look);
      RED.nodes.eachConfig(look);
      return invalid;
    });
  }

  /** Resolves when the flows that are replaced have stopped; the new ones may still be starting. */
  async deploy(): Promise<void> {
    const answered = this.page.waitForResponse(
      (response) => response.request().method() === 'POST' && response.url().endsWith('/flows'),
    );
    await this.page.locator('#red-ui-header-button-deploy').click();
    await (await answered).finished();
    await this.page.locator('#red-ui-header-button-deploy.disabled').waitFor();
  }

  /** Opens the form of a node on a flow by a double click. */
  async openForm(id: string): Promise<void> {
    await this.page.evaluate((node) => RED.view.reveal(node), id);
    const node = this.page.locator(`[id="${id}"] .red-ui-flow-node`);
    const form = this.page.locator('#dialog-form');
    // On a busy machine the second click may come too late to make a double click of both, or the form cover the node.
    for (let opened = false; !opened; ) {
      await node.dblclick({ timeout: 5000 }).catch(() => {});
      opened = await form.waitFor({ timeout: 5000 }).then(
        () => true,
        () => false,
      );
    }
  }

  /** Opens the form of a configuration node; without an id, that of a new one. */
  async openConfigForm(type: string, id = '_ADD_'): Promise<void> {
    await this.page.evaluate(([t, i]) => RED.editor.editConfig('', t as string, i as string), [type, id]);
    await this.page.locator('#node-config-dialog-edit-form').waitFor();
  }

  async done(): Promise<void> {
    await this.page.locator('#node-dialog-ok').click();
    await this.page.locator('#dialog-form').waitFor({ state: 'detached' });
  }

  async configDone(): Promise<void> {
    await this.page.locator('#node-config-dialog-ok').click();
    await this.page.locator('#node-config-dialog-edit-form').waitFor({ state: 'detached' });
  }

  /** Brings a page of a form with tabs to the front. */
  async showTab(label: string): Promise<void> {
    const tab = this.page.locator('form .red-ui-tab', { hasText: label });
    // The editor swallows a second click within 400 ms, on whichever tab, as a double click.
    while (!(await tab.getAttribute('class'))?.includes('active')) await tab.click();
  }

  /** What the user sees of a typed input. */
  typedInput(name: string): Locator {
    return this.page.locator(`#node-input-${name} + .red-ui-typedInput-container`);
  }

  /** The text of a typed input. */
  typedText(name: string): Locator {
    return this.typedInput(name).locator('.red-ui-typedInput-input');
  }

  /** Says where the value of a typed input is taken from. */
  async chooseKind(name: string, label: string): Promise<void> {
    await this.typedInput(name).locator('.red-ui-typedInput-type-select').click();
    await this.page.locator('.red-ui-typedInput-options:visible a', { hasText: label }).click();
  }

  /** Chooses a value of a typed input that is a list. */
  async chooseOption(name: string, label: string): Promise<void> {
    await this.typedInput(name).locator('.red-ui-typedInput-option-trigger').click();
    await this.page.locator('.red-ui-typedInput-options:visible a', { hasText: label }).click();
  }

  /** Types into a field as a user does, so that the form validates it. */
  async enter(field: Locator | string, text: string): Promise<void> {
    const input = typeof field === 'string' ? this.page.locator(field) : field;
    await input.fill(text);
    await input.press('End');
    await input.blur();
  }

  /** Resolves when the form shows this reason to a mouse that points at the field. */
  async seesReason(field: Locator | string, reason: RegExp): Promise<void> {
    const input = typeof field === 'string' ? this.page.locator(field) : field;
    const popovers = this.page.locator('.red-ui-popover:visible');
    // The editor may lose a tooltip when the mouse comes while the field is validated; a user would point again.
    for (let attempt = 0; attempt < 3; attempt++) {
      await this.page.mouse.move(0, 0);
      // One that still fades would stay, with the reason it had.
      while ((await popovers.count()) > 0) await popovers.first().waitFor({ state: 'hidden' });
      await input.hover();
      const shown = popovers.filter({ hasText: reason }).waitFor({ timeout: 4000 });
      if (
        await shown.then(
          () => true,
          () => false,
        )
      )
        return;
    }
    assert.fail(`expected the reason ${reason}, but the form shows "${await popovers.allTextContents()}"`);
  }

  /** Presses the button of an inject node. */
  async press(id: string): Promise<void> {
    await this.page.evaluate((node) => RED.view.reveal(node), id);
    await this.page.locator(`[id="${id}"] .red-ui-flow-node-button-button`).click();
  }

  /** The text of a node's help. */
  helpOf(type: string): Promise<string> {
    return this.page.evaluate((nodeType) => RED.nodes.getNodeHelp(nodeType), type);
  }

  /** Drags a node from the palette onto the flow. */
  async dragIn(type: string): Promise<void> {
    const chart = this.page.locator('#red-ui-workspace-chart');
    await this.page
      .locator(`[data-palette-type="${type}"]`)
      .dragTo(chart, { targetPosition: { x: 300, y: 300 } });
    await chart.locator('.red-ui-flow-node-group').waitFor();
  }

  async select(id: string): Promise<void> {
    await this.page.evaluate((node) => RED.view.reveal(node), id);
    await this.page.locator(`[id="${id}"] .red-ui-flow-node`).click();
    await this.page.locator(`[id="${id}"].red-ui-flow-node-selected`).waitFor();
  }

  /** Copies a node and drops the copy on the same flow. */
  async copyAndPaste(id: string): Promise<void> {
    await this.select(id);
    await this.page.keyboard.press('Control+c');
    await this.page.keyboard.press('Control+v');
    await this.page.mouse.move(900, 700);
    await this.page.mouse.click(900, 700);
  }

  async showDebugMessages(): Promise<void> {
    await this.page.evaluate(() => RED.actions.invoke('core:show-debug-tab'));
    await this.page.locator('.red-ui-debug-content-list').waitFor();
  }

  /** The messages of the debug sidebar as soon as there are so many. */
  async debugMessages(count: number): Promise<string[]> {
    const messages = this.page.locator('.red-ui-debug-msg');
    await messages.nth(count - 1).waitFor();
    return messages.allTextContents();
  }

  /** Resolves when the text below a node matches. */
  async statusOf(id: string, text: RegExp): Promise<void> {
    await this.page.evaluate((node) => RED.view.reveal(node), id);
    await this.page
      .locator(`[id="${id}"] .red-ui-flow-node-status-label`)
      .filter({ hasText: text })
      .waitFor();
  }
}
