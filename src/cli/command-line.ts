import { parseArgs } from 'node:util';
import type { BrokerSettings } from '../broker/broker-thread';

export const HELP = `Usage: mqtt-ros-broker [options]

Runs an MQTT 3.1.1 and 5 broker until it gets SIGINT or SIGTERM.

  --mqtt-host <host>      address or name to listen on (127.0.0.1)
  --mqtt-port <port>      port to listen on, 0 for any that is free (1883)
  --allow-anonymous       let clients of other machines in, without a password
  --storage <directory>   keep retained messages and sessions there; without it they end with the broker
  --durability <when>     acknowledge what is kept there when the system has it: write, or when the disk has
                          it: strict (write)
  --help                  print this
  --version               print the version
`;

/** What the command is asked to do. */
export type Command = 'help' | 'version' | BrokerSettings;

/** The arguments cannot be used; the message says which and why. */
export class CommandLineError extends Error {
  override readonly name = 'CommandLineError';
}

/**
 * Reads the arguments that follow the command's name.
 * @throws CommandLineError an option is unknown, lacks its value or has one that cannot be used
 */
export function readCommandLine(args: string[]): Command {
  const options = parse(args);
  if (options.help) return 'help';
  if (options.version) return 'version';
  const { storage: directory, durability } = options;
  if (directory === '') throw new CommandLineError('--storage is empty, expected a directory');
  if (directory === undefined && durability !== undefined) {
    throw new CommandLineError('--durability is of no use without --storage <directory>');
  }
  return {
    listeners: [{ host: options['mqtt-host'], port: portOf(options['mqtt-port']) }],
    allowAnonymousBeyondLoopback: options['allow-anonymous'],
    ...(directory !== undefined && { storage: { directory, durability: durabilityOf(durability) } }),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        'mqtt-host': { type: 'string', default: '127.0.0.1' },
        'mqtt-port': { type: 'string', default: '1883' },
        'allow-anonymous': { type: 'boolean', default: false },
        storage: { type: 'string' },
        durability: { type: 'string' },
        help: { type: 'boolean' },
        version: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new CommandLineError((error as Error).message.replaceAll('\n', ' '));
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new CommandLineError(`--mqtt-port is "${text}", expected a whole number from 0 to 65535`);
  }
  return port;
}

function durabilityOf(text = 'write'): 'write' | 'strict' {
  if (text !== 'write' && text !== 'strict') {
    throw new CommandLineError(`--durability is "${text}", expected write or strict`);
  }
  return text;
}
