import { NEW_USER, type UserRow } from '../../access-rows';
import type { EditorNode } from '../editor-api';
import { showFault } from '../form-fault';
import { addSelect, rowsIn, textIn } from '../list-row';

/** A user as the open form has it. */
export interface EditedUser extends UserRow {
  /** As typed; empty when the stored one stays. */
  password: string;
  /** The name under which the password is stored that stays; absent when none is. */
  was?: string;
}

/** Why a list of users is refused, naming the user. */
export function usersFault(node: EditorNode, users: readonly UserRow[]): string | undefined {
  const names = new Set<string>();
  for (const { name, hasPassword } of users) {
    const fault = (key: string) => node._(`embedded-broker.fault.${key}`, { name });
    if (name === '') return fault('userName');
    if (names.has(name)) return fault('userTwice');
    if (!hasPassword) return fault('userPassword');
    names.add(name);
  }
  return undefined;
}

/** The editable list of a broker's users. Their passwords are typed here, but never shown. */
export class UserList {
  readonly #list: JQuery;
  readonly #node: EditorNode;

  constructor(list: JQuery, node: EditorNode) {
    this.#list = list;
    this.#node = node;
  }

  /** @param stored whether any passwords of the node are stored: those of a copied node are not */
  open(users: readonly UserRow[], stored: boolean): void {
    this.#list.editableList({
      addButton: this.#node._('embedded-broker.label.addUser'),
      removable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, user: Partial<UserRow>) =>
        this.#addRow(row, { ...NEW_USER, ...user }),
      removeItem: () => this.#check(),
    });
    this.#list.editableList(
      'addItems',
      users.map((user) => ({ ...user, hasPassword: user.hasPassword && stored })),
    );
  }

  users(): EditedUser[] {
    return rowsIn(this.#list).map((row) => userOf(row));
  }

  #addRow(row: JQuery, user: UserRow): void {
    const text = (key: string) => this.#node._(`embedded-broker.${key}`);
    row.data('saved', user);
    const first = $('<div class="mqttros-embedded-line">').appendTo(row);
    const second = $('<div class="mqttros-embedded-line">').appendTo(row);
    for (const name of ['name', 'groups'] as const) {
      $(`<input type="text" class="mqttros-user-${name}">`)
        .attr({ placeholder: text(`placeholder.user.${name}`), 'aria-label': text(`label.user.${name}`) })
        .val(user[name])
        .appendTo(first);
    }
    addSelect(second, 'mqttros-user-login', text('label.user.login'), ['password', 'scram'], (login) =>
      text(`login.${login}`),
    ).val(user.login);
    $('<input type="password" class="mqttros-user-password" autocomplete="new-password">')
      .attr({
        placeholder: text(`placeholder.user.${user.hasPassword ? 'stored' : 'password'}`),
        'aria-label': text('label.user.password'),
      })
      .appendTo(second);
    row.find('input, select').on('change keyup paste', () => this.#check());
    this.#check();
  }

  #check(): void {
    const users = this.users();
    const fault = (key: string, name = '') => this.#node._(`embedded-broker.fault.${key}`, { name });
    for (const [index, row] of rowsIn(this.#list).entries()) {
      const { name, hasPassword, login } = users[index] as EditedUser;
      const twice = users.filter((other) => other.name === name).length > 1;
      const saved: UserRow = row.data('saved');
      showFault(
        row.find('.mqttros-user-name'),
        name === '' ? fault('userName') : twice ? fault('userTwice', name) : undefined,
      );
      showFault(
        row.find('.mqttros-user-password'),
        hasPassword
          ? undefined
          : fault(saved.hasPassword && login !== saved.login ? 'passwordAgain' : 'userPassword', name),
      );
    }
  }
}

function userOf(row: JQuery): EditedUser {
  const saved: UserRow = row.data('saved');
  const login = textIn(row, '.mqttros-user-login') as UserRow['login'];
  // Blanks belong to a password.
  const password = String(row.find('.mqttros-user-password').val() ?? '');
  // What is stored cannot be turned into what another way to log in needs.
  const stays = password === '' && saved.hasPassword && login === saved.login;
  return {
    name: textIn(row, '.mqttros-user-name'),
    groups: textIn(row, '.mqttros-user-groups'),
    login,
    hasPassword: stays || password !== '',
    password,
    ...(stays && { was: saved.name }),
  };
}
