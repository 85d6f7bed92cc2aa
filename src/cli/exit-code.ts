/** How the command ends. */
export const ExitCode = {
  /** A signal has stopped it, or it has printed what was asked for. */
  stopped: 0,
  /** Whatever has no code of its own, such as a store that cannot be opened. */
  failed: 1,
  /** A setting is unknown or cannot be used. */
  settings: 2,
  /** It may not or cannot listen where it should: the port is in use, for one. */
  listening: 3,
} as const;

export const EXIT_CODES_HELP = `Ends with code 0 when a signal has stopped it, 2 when a setting is unknown or cannot be used, 3 when it cannot listen
where it should, such as at a port in use, and 1 for any other fault.
`;
