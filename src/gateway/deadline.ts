import { ApiError } from './api-error';

/** Rejects with ApiError `timeout` when the outcome takes longer, ms; it may still come. */
export async function within<Value>(timeout: number, outcome: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new ApiError('timeout', `there was no answer within ${timeout / 1000} s`)),
      timeout,
    );
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}
