import { type IncomingHttpHeaders, request } from 'node:http';
import { ApiContract, type ApiDocument } from './api-contract';

export interface ApiAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Parsed where it is JSON; `undefined` where it is empty. */
  // biome-ignore lint/suspicious/noExplicitAny: what it is the contract has checked
  body: any;
}

/** To compile one takes longer than most tests. */
const contracts = new Map<string, ApiContract>();

/** Calls a gateway, and fails where an answer is not what the gateway's own document says. */
export class ApiClient {
  private constructor(
    readonly url: string,
    readonly contract: ApiContract,
    readonly headers: Record<string, string>,
  ) {}

  /** @param headers of each call */
  static async create(url: string, headers: Record<string, string> = {}): Promise<ApiClient> {
    const { body } = await send(url, 'GET', '/openapi.json', undefined, headers);
    const text = JSON.stringify(body);
    const contract = contracts.get(text) ?? new ApiContract(body as ApiDocument);
    contracts.set(text, contract);
    return new ApiClient(url, contract, headers);
  }

  /** @param body text is sent as it is, other values as JSON */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string | undefined> = {},
  ): Promise<ApiAnswer> {
    const answer = await send(this.url, method, path, body, { ...this.headers, ...headers });
    this.contract.check(method, path, answer.status, answer.headers['content-type'], answer.body);
    return answer;
  }

  get(path: string): Promise<ApiAnswer> {
    return this.call('GET', path);
  }

  post(path: string, body: unknown = {}): Promise<ApiAnswer> {
    return this.call('POST', path, body);
  }
}

function send(
  url: string,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string | undefined>,
): Promise<ApiAnswer> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const sent: Record<string, string> = {};
  const type = { 'Content-Type': method === 'POST' || method === 'PATCH' ? 'application/json' : undefined };
  const length = { 'Content-Length': text === undefined ? undefined : String(Buffer.byteLength(text)) };
  for (const [name, value] of Object.entries({ ...type, ...length, ...headers })) {
    if (value !== undefined) sent[name] = value;
  }
  return new Promise((resolve, reject) => {
    const call = request(`${url}${path}`, { method, headers: sent, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type'] === 'application/json';
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: answer === '' ? undefined : isJson ? JSON.parse(answer) : answer,
        });
      });
    });
    call.on('error', reject);
    call.end(text);
  });
}
