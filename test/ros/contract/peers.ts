import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { GOAL_STATES } from '../../../src/ros/ros-action';
import type { RosQos } from '../../../src/ros/ros-backend';
import type { DdsVendor } from '../../peers/dds/dds-peer';
import { Cast } from '../../rtps/fixture';

export type PeerQos = Pick<RosQos, 'reliability' | 'durability'>;

/** Programs of other people in a domain. Each runs until it is stopped. */
export interface Peers {
  /** Publishes `std_msgs/msg/String` whose text begins with the given one, again and again, or once. */
  talk(rosName: string, text: string, qos: PeerQos, once?: boolean): Peer;
  /** Subscribes to `std_msgs/msg/String`. */
  listen(rosName: string, qos: PeerQos): Listener;
  /** Serves `example_interfaces/srv/AddTwoInts`. */
  serve(rosName: string): Peer;
  /** Calls it, and gives the sum. */
  call(rosName: string, a: number, b: number): Promise<number>;
  /** Serves `example_interfaces/action/Fibonacci` under a name that ends with `/fibonacci`; even orders succeed. */
  serveAction(rosName: string): Peer;
  /** Has a goal there, and gives what came of it. */
  callAction(rosName: string, order: number): Promise<GoalOutcome>;
  /** Ends them all. */
  leave(): Promise<void>;
}

export interface Peer {
  stop(): Promise<void>;
}

export interface GoalOutcome {
  feedback: number[][];
  succeeded: boolean;
  sequence: number[];
}

export interface Listener extends Peer {
  /** Resolves once it has heard a text; rejects when it ends before. */
  hears(text: string): Promise<void>;
}

export interface PeerKind {
  readonly name: string;
  /** Skips the test where the programs are not installed, with `CI=true` it fails. */
  enter(test: Mocha.Context, domain: number): Peers;
}

/** The peers in C and C++ of this repository. */
export function ddsPeers(vendor: DdsVendor): PeerKind {
  const names = { cyclone: 'Cyclone DDS', fast: 'Fast DDS' };
  return {
    name: names[vendor],
    enter(test, domain) {
      const cast = new Cast(vendor);
      const endpoint = (rosName: string, { reliability, durability }: PeerQos) => ({
        topic: `rt${rosName}`,
        rel: reliability === 'reliable' ? 'r' : 'b',
        dur: durability === 'volatile' ? 'v' : 't',
        domain,
        timeout: 60,
      });
      const service = (rosName: string) => ({ service: rosName, domain, timeout: 60 });
      return {
        talk: (rosName, text, qos, once = false) => {
          const pace = once ? { count: 1, idle: 60 } : { count: 0, rate: 20 };
          return cast.peer(test, 'pub', {
            args: { ...endpoint(rosName, qos), match: 0, text, ...pace },
          });
        },
        listen: (rosName, qos) => {
          const peer = cast.peer(test, 'sub', {
            args: { ...endpoint(rosName, qos), count: 0, idle: 60 },
          });
          const hears = (text: string) =>
            peer.until(() => peer.messages.some((message) => JSON.stringify(message).includes(text)));
          return { hears, stop: () => peer.stop() };
        },
        serve: (rosName) => cast.peer(test, 'serve', { args: { ...service(rosName), count: 0 } }),
        call: async (rosName, a, b) => {
          // It adds the number of the request, which is 1.
          const peer = cast.peer(test, 'call', {
            args: { ...service(rosName), count: 1, a: a - 1, b },
          });
          await peer.until(() => peer.messages.length > 0);
          return (peer.messages[0] as { sum: number }).sum;
        },
        // So slowly that a long goal runs still when it is to be canceled.
        serveAction: (rosName) =>
          cast.peer(test, 'serve', { args: { action: rosName, domain, timeout: 60, period: 200 } }, 'action'),
        callAction: async (rosName, order) => {
          const args = { action: rosName, domain, timeout: 60, order };
          const peer = cast.peer(test, 'call', { args }, 'action');
          await peer.exited();
          const said = peer.messages as Array<{ feedback?: number[]; result?: number; sequence?: number[] }>;
          const { result, sequence = [] } = said.at(-1) ?? {};
          const feedback = said.flatMap(({ feedback: one }) => (one === undefined ? [] : [one]));
          return { feedback, succeeded: result === GOAL_STATES.indexOf('succeeded'), sequence };
        },
        leave: () => cast.leave(),
      };
    },
  };
}

/** The `ros2` command line, and the server of rclcpp's demonstrations, in the sourced ROS 2. */
export const ros2Peers: PeerKind = {
  name: 'the ros2 command line and rclcpp',
  enter(_test, domain) {
    const programs: Ros2Program[] = [];
    const run = (...args: string[]): Ros2Program => {
      const program = new Ros2Program(domain, args);
      programs.push(program);
      return program;
    };
    const qosOf = ({ reliability, durability }: PeerQos) => [
      '--qos-reliability',
      reliability.replace('-', '_'),
      '--qos-durability',
      durability.replace('-', '_'),
    ];
    const message = ['std_msgs/msg/String'];
    return {
      talk: (rosName, text, qos, once = false) => {
        const pace = once ? ['--times', '1', '-w', '0', '--keep-alive', '60'] : ['--rate', '10'];
        return run('topic', 'pub', ...qosOf(qos), ...pace, rosName, ...message, `{data: '${text}'}`);
      },
      listen: (rosName, qos) => {
        const echo = run('topic', 'echo', '--no-daemon', '--csv', ...qosOf(qos), rosName, ...message);
        return { hears: (text) => echo.prints(text).then(() => {}), stop: () => echo.stop() };
      },
      serve: (rosName) =>
        run('run', 'demo_nodes_cpp', 'add_two_ints_server', '--ros-args', '-r', `add_two_ints:=${rosName}`),
      call: async (rosName, a, b) => {
        const type = 'example_interfaces/srv/AddTwoInts';
        const line = await run('service', 'call', rosName, type, `{a: ${a}, b: ${b}}`).prints('sum=');
        return Number(/sum=(-?\d+)/.exec(line)?.[1]);
      },
      serveAction: (rosName) => {
        const namespace = rosName.replace(/\/fibonacci$/, '');
        const program = ['examples_rclcpp_minimal_action_server', 'action_server_member_functions'];
        return run('run', ...program, '--ros-args', '-r', `__ns:=${namespace}`);
      },
      callAction: async (rosName, order) => {
        const type = 'example_interfaces/action/Fibonacci';
        const program = run('action', 'send_goal', '--feedback', rosName, type, `{order: ${order}}`);
        const end = await program.prints('Goal finished with status');
        // What it prints is YAML, of which only the list of one field matters.
        const [before = '', result = ''] = program.output.split(/^Result:/m);
        const numbers = (text: string) =>
          [...text.matchAll(/^\s*- (-?\d+)$/gm)].map(([, one]) => Number(one));
        const feedback = before
          .split(/^Feedback:/m)
          .slice(1)
          .map(numbers);
        return { feedback, succeeded: end.includes('SUCCEEDED'), sequence: numbers(result) };
      },
      leave: async () => {
        await Promise.all(programs.map((program) => program.stop()));
      },
    };
  },
};

/** A program of ROS 2, on this machine alone. */
class Ros2Program {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  #wake: (() => void)[] = [];
  #ended: string | undefined;

  constructor(domain: number, args: string[]) {
    this.#process = spawn('ros2', args, {
      // A group of its own: "ros2 run" starts the program as another process.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ROS_DOMAIN_ID: String(domain),
        ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST',
        PYTHONUNBUFFERED: '1',
      },
    });
    for (const output of [this.#process.stdout, this.#process.stderr]) {
      if (output === null) continue;
      createInterface({ input: output }).on('line', (line) => {
        this.#lines.push(line);
        this.#changed();
      });
    }
    this.#process.once('error', (error) => this.#end(error.message));
    this.#process.once('close', (code, signal) => this.#end(String(signal ?? code)));
  }

  get output(): string {
    return this.#lines.join('\n');
  }

  /** The first line with a text. */
  async prints(text: string): Promise<string> {
    for (;;) {
      const line = this.#lines.find((printed) => printed.includes(text));
      if (line !== undefined) return line;
      if (this.#ended !== undefined) {
        throw new Error(`ros2 ended with ${this.#ended}:\n${this.#lines.slice(-10).join('\n')}`);
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async stop(): Promise<void> {
    const { pid } = this.#process;
    if (pid === undefined) return;
    const kill = (signal: NodeJS.Signals) => {
      try {
        process.kill(-pid, signal);
      } catch {
        // All of them have ended.
      }
    };
    kill('SIGINT');
    const forced = setTimeout(() => kill('SIGKILL'), 5000);
    while (this.#ended === undefined) await new Promise<void>((resolve) => this.#wake.push(resolve));
    clearTimeout(forced);
  }

  #end(reason: string): void {
    this.#ended = reason;
    this.#changed();
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
