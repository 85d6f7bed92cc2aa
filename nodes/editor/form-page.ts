import type { EditorNode, FieldDefinition } from './editor-api';

/** What `defaults` says of the fields of one page, for a node that has these fields among others. */
export type FieldDefinitions<F extends object> = { [K in keyof F]: FieldDefinition<F[K], EditorNode & F> };

/** A page of a form with tabs whose fields need more than Node-RED does for them by itself. */
export interface FormPage<F extends object> {
  /** When the form opens. */
  prepare(node: EditorNode & F): void;
  /** When it is left with Done: what Node-RED does not read from the inputs itself. */
  save?(node: EditorNode & F): void;
  /** When a page is brought to the front: what another page says may matter to this one. */
  refresh?(): void;
}

/**
 * Gives a form its tabs: one for each child of `pages`, in their order. A child with the id `<prefix><name>` gets the
 * tab label `tabText(name)`. `changed` is called whenever one is brought to the front.
 */
export function createTabs(
  tabBar: JQuery,
  pages: JQuery,
  prefix: string,
  tabText: (name: string) => string,
  changed: () => void,
): void {
  const tabs = RED.tabs.create({
    element: tabBar,
    onchange({ id }) {
      pages.hide().filter(`#${id}`).show();
      changed();
    },
  });
  pages.each((_index, { id }) => tabs.addTab({ id, label: tabText(id.slice(prefix.length)) }));
}
