// Uses the gateway API from TypeScript: node gateway-client.js http://127.0.0.1:8441 [mqtt-host [mqtt-port]]
//
// Adds a broker, connects, subscribes, listens on a WebSocket, publishes, reads the history and tidies up. A token, where
// the gateway asks for one, is taken from the environment variable GATEWAY_TOKEN.
import WebSocket from 'ws';

interface Broker {
  broker_id: string;
  state: string;
  reason?: string;
}

interface Message {
  topic: string;
  payload: unknown;
}

/** What a WebSocket of the gateway tells. */
type LiveEvent =
  | { type: 'subscribed' }
  | ({ type: 'message' } & Message)
  | { type: 'missed'; count: number }
  | { type: 'error'; error: { message: string } };

/** The calls of the API; what is refused is an error with the gateway's own words. */
class GatewayClient {
  readonly #url: string;
  readonly #token: string | undefined;

  constructor(url: string, token?: string) {
    this.#url = url.replace(/\/$/, '');
    this.#token = token;
  }

  async call<Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, body: object = {}): Promise<Answer> {
    const answer = await fetch(this.#url + path, {
      method,
      headers: {
        'Content-Type': 'application/json',
        ...(this.#token !== undefined && { Authorization: `Bearer ${this.#token}` }),
      },
      ...(method === 'POST' && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const value = text === '' ? undefined : JSON.parse(text);
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.error.message}`);
    return value;
  }

  /** Live messages over a WebSocket, whose ticket is good for one connection. Ends when the loop over them does. */
  async *listen(brokerId: string, topic: string): AsyncGenerator<LiveEvent> {
    const { url } = await this.call<{ url: string }>('POST', '/ws/tickets', { broker_id: brokerId, topic });
    const socket = new WebSocket(new URL(url, this.#url.replace(/^http/, 'ws')));
    const events: LiveEvent[] = [];
    let end: Error | undefined;
    let wake = () => {};
    socket.on('message', (data) => {
      events.push(JSON.parse(String(data)));
      wake();
    });
    socket.on('error', (error) => {
      end = error;
    });
    socket.on('close', (code, reason) => {
      end ??= new Error(`the gateway has ended the connection: ${code} ${reason}`);
      wake();
    });
    try {
      while (end === undefined || events.length > 0) {
        const event = events.shift();
        if (event !== undefined) yield event;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
      throw end;
    } finally {
      socket.close();
    }
  }
}

async function main(url: string, host = '127.0.0.1', port = '1883'): Promise<void> {
  const gateway = new GatewayClient(url, process.env.GATEWAY_TOKEN);
  console.log('gateway:', (await gateway.call<{ status: string }>('GET', '/health')).status);

  const input = { name: 'example', host, port: Number(port) };
  const { broker_id } = await gateway.call<Broker>('POST', '/brokers', input);
  try {
    const { state, reason = '' } = await gateway.call<Broker>('POST', `/brokers/${broker_id}/connect`);
    console.log('broker:', state, reason);

    const wanted = { broker_id, topic: 'example/+', qos: 1 };
    console.log('subscription:', (await gateway.call<{ state: string }>('POST', '/subscribe', wanted)).state);

    for await (const event of gateway.listen(broker_id, 'example/+')) {
      if (event.type === 'subscribed') {
        const payload = { temperature: 21.5 };
        await gateway.call('POST', '/publish', { broker_id, topic: 'example/room', payload, qos: 1 });
      } else if (event.type === 'message') {
        console.log('live:', event.topic, JSON.stringify(event.payload));
        break;
      }
    }

    const topic = encodeURIComponent('example/#');
    const path = `/messages?topic=${topic}&limit=10`;
    for (const message of (await gateway.call<{ messages: Message[] }>('GET', path)).messages) {
      console.log('history:', message.topic, JSON.stringify(message.payload));
    }
  } finally {
    await gateway.call('DELETE', `/brokers/${broker_id}`);
  }
}

const [url, ...broker] = process.argv.slice(2);
if (url === undefined) throw new Error('expected the URL of the gateway');
main(url, ...broker).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
