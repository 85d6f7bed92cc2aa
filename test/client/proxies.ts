import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A proxy of the test's own on 127.0.0.1, and what it was asked. */
export interface TestProxy {
  url: string;
  /** Host and port of each request. */
  targets: string[];
  /** User name and password of each request. */
  users: string[];
  close(): Promise<void>;
}

/** An HTTP proxy that knows CONNECT, and refuses users other than `user` where that is given. */
export async function httpProxy(user?: string): Promise<TestProxy> {
  const [targets, users]: [string[], string[]] = [[], []];
  const server = createHttpServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request: IncomingMessage, near: Socket, head: Buffer) => {
    const [, credentials = ''] = request.headers['proxy-authorization']?.split(' ') ?? [];
    users.push(Buffer.from(credentials, 'base64').toString());
    targets.push(request.url ?? '');
    if (user !== undefined && users.at(-1) !== user) {
      near.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    near.write('HTTP/1.1 200 Connection established\r\n\r\n');
    near.unshift(head);
    join(near, request.url ?? '');
  });
  return listening('http', server, targets, users);
}

/** A SOCKS 5 proxy (RFC 1928, RFC 1929) that wants a user name and password. */
export async function socksProxy(): Promise<TestProxy> {
  const [targets, users]: [string[], string[]] = [[], []];
  const server = createServer((near) => {
    near.on('error', () => {});
    near.once('data', () => {
      near.write(Buffer.from([5, 2]));
      near.once('data', (user) => {
        const nameEnd = 2 + (user[1] ?? 0);
        users.push(`${user.subarray(2, nameEnd)}:${user.subarray(nameEnd + 1)}`);
        near.write(Buffer.from([1, 0]));
        near.once('data', (request) => {
          const named = request[3] === 3;
          const host = named
            ? request.subarray(5, 5 + (request[4] ?? 0)).toString()
            : request.subarray(4, 8).join('.');
          const port = request.readUInt16BE(request.length - 2);
          targets.push(`${host}:${port}`);
          near.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
          join(near, `127.0.0.1:${port}`);
        });
      });
    });
  });
  return listening('socks5', server, targets, users);
}

function join(near: Socket, target: string): void {
  const far = connect(Number(target.split(':').at(-1)), '127.0.0.1');
  near.pipe(far).pipe(near);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on('error', () => {});
    one.on('close', () => other.destroy());
  }
}

async function listening(
  scheme: string,
  server: Server,
  targets: string[],
  users: string[],
): Promise<TestProxy> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    targets,
    users,
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
