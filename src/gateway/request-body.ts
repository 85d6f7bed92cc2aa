import type { IncomingMessage } from 'node:http';
import { ApiError } from './api-error';

/**
 * Reads the body of a request as JSON; `undefined` when it is empty.
 * @param limit bytes
 * @param timeout how long it may take to come, ms
 * @throws ApiError it is too long, too slow or no JSON
 */
export async function readJsonBody(
  request: IncomingMessage,
  limit: number,
  timeout: number,
): Promise<unknown> {
  checkLength(request, limit);
  const text = await readText(request, limit, timeout);
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError('invalid_request', `the body is not JSON: ${(error as Error).message}`);
  }
}

/** @throws ApiError the body is said to be longer, bytes */
export function checkLength({ headers }: IncomingMessage, limit: number): void {
  if (Number(headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
}

/** What a body parser before this gateway has found wrong with a body, as this one says it. */
export function parserFault({ status, message }: { status?: number; message: string }): ApiError {
  if (status === 413) return new ApiError('payload_too_large', `the body cannot be read: ${message}`);
  if (status === 415) return new ApiError('unsupported_media_type', `the body cannot be read: ${message}`);
  return new ApiError('invalid_request', `the body is not JSON: ${message}`);
}

function readText(request: IncomingMessage, limit: number, timeout: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => end(new ApiError('request_timeout', `the body did not come within ${timeout / 1000} s`)),
      timeout,
    );
    const end = (error?: Error) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      request.pause();
      if (error !== undefined) return reject(error);
      try {
        resolve(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
      } catch {
        reject(new ApiError('invalid_request', 'the body is not UTF-8'));
      }
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limit) end(tooLarge(limit));
      else chunks.push(chunk);
    };
    const onEnd = () => end();
    const onGone = () => end(new ApiError('invalid_request', 'the request was cut off'));
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}

function tooLarge(limit: number): ApiError {
  return new ApiError('payload_too_large', `the body has more than ${limit} bytes`);
}
