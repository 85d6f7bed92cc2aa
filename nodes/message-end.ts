import type { Node, NodeMessage } from 'node-red';

/** What Node-RED gives a node with a message. */
export interface MessageEnd {
  send(msg: NodeMessage): void;
  done(error?: Error): void;
}

/**
 * Ends a message as its handling does: with an answer to be sent, with nothing, or with an error. Node-RED copies a message
 * for all but the first that get it, and for Catch and Complete nodes, and one from outside may be deeper than the stack:
 * then they are told without it, because an exception that nobody takes ends the process.
 * @param inWords what the flow is told of an error
 */
export function endMessage(
  node: Node,
  { send, done }: MessageEnd,
  handling: Promise<NodeMessage | undefined>,
  inWords = (error: Error): Error => error,
): void {
  const end = (error?: Error): void => {
    try {
      done(error);
    } catch (fault) {
      const what = error === undefined ? '' : `${error.message}; `;
      node.error(`${what}the message cannot be copied for other nodes: ${(fault as Error).message}`, {});
    }
  };
  handling
    .then((answer) => {
      if (answer !== undefined) send(answer);
    })
    .then(
      () => end(),
      (error: Error) => end(inWords(error)),
    );
}
