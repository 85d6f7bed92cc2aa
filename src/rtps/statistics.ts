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
  /** Fragments of large samples sent again because a reader asked for them. */
  fragmentsResent = 0;
  /** Large samples given up before they were sent, because newer ones replaced them. */
  samplesUnsent = 0;
  /** Samples of a matched writer that its reader will never deliver. */
  samplesLost = 0;
  /** Samples that went from a writer's history before a reliable reader acknowledged them, for each reader. */
  samplesUnacknowledged = 0;
  samplesDuplicate = 0;
  /** Samples not delivered because their lifespan was over. */
  samplesExpired = 0;
  /** Samples not delivered because a stronger writer owns the topic. */
  samplesNotOwned = 0;
  /** DATA_FRAG submessages for which there was no memory, or which contradict those before; asked for again. */
  fragmentsDropped = 0;
  /** Samples that came in part, and were given up; a reliable writer is asked for them again. */
  samplesIncomplete = 0;
  /** Samples that were larger than the participant takes; they also count as lost. */
  samplesTooLarge = 0;
  /** Samples of writers not discovered yet that did not fit the store that waits for their discovery. */
  samplesTooEarly = 0;
}
