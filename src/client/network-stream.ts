import type { EventEmitter } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';
import type { ProxySettings } from './connection-settings';
import { readBuffer } from './lent-bytes';
import { openThroughProxy } from './proxy';

const defaultPort: Record<string, number> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };

export interface NetworkOptions {
  /** For `mqtts:` and `wss:`. */
  tls?: ConnectionOptions;
  proxy?: ProxySettings;
  /** For `ws:` and `wss:`. */
  subprotocol: 'mqtt' | 'mqttv3.1';
  /** For `ws:` and `wss:`. */
  headers?: Record<string, string>;
}

/**
 * Opens a stream to a `mqtt:`, `mqtts:`, `ws:` or `wss:` URL and resolves when MQTT can be spoken on it.
 * Rejects with what went wrong, or with the signal's reason. What `data` events bring may be lent: see `kept`.
 */
export async function openNetworkStream(
  url: URL,
  { tls, proxy, subprotocol, headers }: NetworkOptions,
  signal: AbortSignal,
): Promise<Duplex> {
  // An IPv6 address has brackets in a URL.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const address = { host, port: Number(url.port) || (defaultPort[url.protocol] ?? 0) };
  const carrier = proxy === undefined ? undefined : await openThroughProxy(proxy, address, signal);
  const tcp = (): Socket => carrier ?? connectTcp({ ...address, noDelay: true });
  const secure = (): TLSSocket => {
    const socket = connectTls({
      ...address,
      ...(carrier !== undefined && { socket: carrier }),
      ...(isIP(host) === 0 && { servername: host }),
      ...tls,
    });
    return socket.setNoDelay(true);
  };
  switch (url.protocol) {
    case 'ws:':
    case 'wss:': {
      const socket = new WebSocket(url, [subprotocol], {
        createConnection: url.protocol === 'ws:' ? tcp : secure,
        perMessageDeflate: false,
        ...(headers !== undefined && { headers }),
      });
      return established(createWebSocketStream(socket), socket, 'open', 'WebSocket', signal);
    }
    case 'mqtts:': {
      const socket = secure();
      return established(socket, socket, 'secureConnect', 'TLS', signal);
    }
    default: {
      if (carrier !== undefined) return carrier;
      const socket = connectLending(address);
      return established(socket, socket, 'connect', undefined, signal);
    }
  }
}

/** Connects a socket with one buffer for all that it reads; it begins to read with `resume`. */
function connectLending(address: { host: string; port: number }): Socket {
  const socket: Socket = connectTcp({
    ...address,
    noDelay: true,
    onread: {
      buffer: readBuffer(),
      callback: (length, buffer) => socket.emit('data', (buffer as Buffer).subarray(0, length)),
    },
  });
  return socket.pause();
}

/** @param protocol what has to be spoken there before `event`, if anything: a listener of another ends the connection */
function established(
  stream: Duplex,
  source: EventEmitter,
  event: string,
  protocol: string | undefined,
  signal: AbortSignal,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const abort = () => stream.destroy(signal.reason);
    // Stays: until the stream has an owner who listens, an error must not leave the process.
    stream.on('error', (error: Error & { code?: string }) => {
      const ended = protocol !== undefined && error.code === 'ECONNRESET';
      const reason = ended ? new Error(`perhaps no ${protocol} is spoken there (${error.message})`) : error;
      reject(signal.aborted ? signal.reason : reason);
    });
    stream.once('close', () => reject(new Error('the connection was closed')));
    source.once(event, () => {
      signal.removeEventListener('abort', abort);
      resolve(stream);
    });
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}
