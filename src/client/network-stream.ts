import type { EventEmitter } from 'node:events';
import { connect as connectTcp, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';

const defaultPort: Record<string, number> = { 'mqtt:': 1883, 'mqtts:': 8883 };

export interface NetworkOptions {
  /** For `mqtts:` and `wss:`. */
  tls?: ConnectionOptions;
  /** For `ws:` and `wss:`. */
  subprotocol: 'mqtt' | 'mqttv3.1';
}

/**
 * Opens a stream to a `mqtt:`, `mqtts:`, `ws:` or `wss:` URL and resolves when MQTT can be spoken on it.
 * Rejects with what went wrong, or with the signal's reason.
 */
export function openNetworkStream(url: URL, options: NetworkOptions, signal: AbortSignal): Promise<Duplex> {
  // An IPv6 address has brackets in a URL.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port) || (defaultPort[url.protocol] ?? 0);
  switch (url.protocol) {
    case 'ws:':
    case 'wss:': {
      const socket = new WebSocket(url, [options.subprotocol], { ...options.tls, perMessageDeflate: false });
      return established(createWebSocketStream(socket), socket, 'open', signal);
    }
    case 'mqtts:': {
      const socket = connectTls({
        host,
        port,
        ...(isIP(host) === 0 && { servername: host }),
        ...options.tls,
      });
      socket.setNoDelay(true);
      return established(socket, socket, 'secureConnect', signal);
    }
    default: {
      const socket = connectTcp({ host, port, noDelay: true });
      return established(socket, socket, 'connect', signal);
    }
  }
}

function established(
  stream: Duplex,
  source: EventEmitter,
  event: string,
  signal: AbortSignal,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const abort = () => stream.destroy(signal.reason);
    // Stays: until the stream has an owner who listens, an error must not leave the process.
    stream.on('error', reject);
    stream.once('close', () => reject(new Error('the connection was closed')));
    source.once(event, () => {
      signal.removeEventListener('abort', abort);
      resolve(stream);
    });
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}
