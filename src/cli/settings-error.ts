/** A setting is unknown or cannot be used; the message says where it stands, its value and what was expected. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}
