import type { FieldDefinitions, FormPage } from '../form-page';

/** The fields of the page "Storage". */
export interface StorageFields {
  persistence: string;
  durability: string;
}

export const storageFields: FieldDefinitions<StorageFields> = {
  persistence: { value: 'disk' },
  durability: { value: 'write' },
};

export const storagePage: FormPage<StorageFields> = {
  prepare() {
    const persistence = $('#node-input-persistence');
    const durability = $('#node-input-durability');
    // A node of before these fields has none.
    if (!persistence.val()) persistence.val('disk');
    if (!durability.val()) durability.val('write');
    const show = () => $('.mqttros-embedded-durability').toggle(persistence.val() === 'disk');
    persistence.on('change', show);
    show();
  },
};
