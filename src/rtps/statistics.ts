/** What a participant counted since it started. */
export class Statistics {
  datagramsReceived = 0;
  datagramsSent = 0;
  /** Datagrams that are no RTPS message, or whose rest was ignored because a submessage in it is broken. */
  datagramsMalformed = 0;
  /** Datagrams from a source outside the discovery range. */
  datagramsOutOfRange = 0;
  /** Datagrams given up because the socket could not take them; reliable endpoints repair that. */
  datagramsUnsent = 0;
  /** Submessages of a kind that is not known here. */
  submessagesSkipped = 0;
  /** Discovery data that could not be read, or went over a limit. */
  announcementsRefused = 0;
  samplesReceived = 0;
  samplesSent = 0;
  samplesResent = 0;
  /** Samples of a matched writer that its reader will never deliver. */
  samplesLost = 0;
  samplesDuplicate = 0;
  /** DATA_FRAG submessages: fragments are not put together, their samples count as lost. */
  fragmentsDropped = 0;
  /** Samples of writers not discovered yet that did not fit the store that waits for their discovery. */
  samplesTooEarly = 0;
}
