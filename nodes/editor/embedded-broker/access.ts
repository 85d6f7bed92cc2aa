import type { AccessRule } from '../../../src/broker/access/access-rules';
import { type Anonymous, anonymousOf, type UserRow } from '../../access-rows';
import type { EditorNode } from '../editor-api';
import { isWholeNumber, presentValue, refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';
import { savePasswords } from './passwords';
import { RuleList, rulesFault } from './rule-list';
import { UserList, usersFault } from './user-list';

/** The fields of the page "Access". */
export interface AccessFields {
  anonymous: Anonymous;
  /** Of the earlier form, until it is saved in this one. */
  allowAnonymous: boolean;
  accessUsers: UserRow[];
  passwordFile: string;
  tokens: 'none' | 'secret' | 'publicKey';
  tokenPublicKey: string;
  tokenIssuer: string;
  tokenAudience: string;
  decide: boolean;
  decisionTimeout: number | string;
  accessRules: AccessRule[];
  otherwise: 'allow' | 'deny';
}

type AccessNode = EditorNode & AccessFields;

export const accessFields: FieldDefinitions<AccessFields> = {
  anonymous: { value: 'local' },
  allowAnonymous: { value: false },
  accessUsers: { value: [], validate: refusedBy((node) => usersFault(node, node.accessUsers ?? [])) },
  passwordFile: { value: '' },
  tokens: { value: 'none' },
  tokenPublicKey: {
    value: '',
    validate: refusedBy((node, value) =>
      presentValue(node, 'tokens', 'node-input') === 'publicKey' && !value
        ? node._('embedded-broker.fault.tokenPublicKey')
        : undefined,
    ),
  },
  tokenIssuer: { value: '' },
  tokenAudience: { value: '' },
  decide: { value: false },
  decisionTimeout: {
    value: 5,
    // A node saved before there was the field has none.
    validate: refusedBy((node, value) =>
      value === undefined || isWholeNumber(value, 1, 30)
        ? undefined
        : node._('embedded-broker.fault.decisionTimeout'),
    ),
  },
  accessRules: { value: [], validate: refusedBy((node) => rulesFault(node, node.accessRules ?? [])) },
  otherwise: { value: 'deny' },
};

// One form is open at a time: the lists of the open one.
let userList: UserList | undefined;
let ruleList: RuleList | undefined;

/** Whether clients of other machines can get in at all. */
export function admitsOthers(node: EditorNode & Partial<AccessFields>): boolean {
  const present = (field: keyof AccessFields) => presentValue(node as AccessNode, field, 'node-input');
  const isOpen = RED.editor.getEditStack().some(({ id }) => id === node.id);
  const users = isOpen && userList ? userList.users() : (node.accessUsers ?? []);
  return (
    (isOpen ? present('anonymous') : anonymousOf(node)) === 'everybody' ||
    users.length > 0 ||
    Boolean(present('passwordFile')) ||
    (present('tokens') ?? 'none') !== 'none' ||
    present('decide') === true
  );
}

export const accessPage: FormPage<AccessFields> = {
  prepare(node) {
    const field = (name: keyof AccessFields) => $(`#node-input-${name}`);
    // A node of before these fields has none.
    field('anonymous').val(anonymousOf(node));
    if (node.tokens === undefined) field('tokens').val('none');
    if (node.decisionTimeout === undefined) field('decisionTimeout').val('5');
    if (node.otherwise === undefined) field('otherwise').val('deny');

    const show = () => {
      const tokens = field('tokens').val();
      const decide = field('decide').prop('checked') === true;
      $('.mqttros-access-secret').toggle(tokens === 'secret');
      $('.mqttros-access-public-key').toggle(tokens === 'publicKey');
      $('.mqttros-access-tokens').toggle(tokens !== 'none');
      $('.mqttros-access-decide').toggle(decide);
      $('.mqttros-access-otherwise').toggle((ruleList?.rules().length ?? 0) > 0);
    };
    // Its rows call `show` while it is filled.
    ruleList = undefined;
    userList = new UserList($('#mqttros-embedded-user-list'), node);
    userList.open(node.accessUsers ?? [], $('#node-input-passwords').val() !== '');
    ruleList = new RuleList($('#mqttros-embedded-rule-list'), node, show);
    ruleList.open(node.accessRules ?? []);
    field('tokens').on('change', show);
    field('decide').on('change', show);
    show();
  },
  save(node) {
    if (!userList || !ruleList) return;
    const passwords = $('#node-input-passwords');
    const saved = savePasswords(node, userList.users(), String(passwords.val()));
    passwords.val(saved.credential);
    node.accessUsers = saved.users;
    node.accessRules = ruleList.rules();
    node.allowAnonymous = false;
  },
};
