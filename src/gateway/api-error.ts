/** What can be wrong with a call, and the HTTP status that says so (RFC 9110 section 15). */
export const ERROR_STATUS = {
  /** It cannot be read: not JSON, no such parameter, not a URL. */
  invalid_request: 400,
  /** `field` names the value. */
  invalid_field: 400,
  unauthorized: 401,
  /** Asked by a web page of another site, or by a host name that is not this machine's. */
  forbidden: 403,
  /** It belongs to a flow or a file, and is changed there. */
  read_only: 403,
  not_found: 404,
  method_not_allowed: 405,
  /** Of the broker or of the bridge. */
  not_connected: 409,
  request_timeout: 408,
  payload_too_large: 413,
  unsupported_media_type: 415,
  /** By the broker or by ROS; `reason_code` is the broker's. */
  refused: 422,
  limit_reached: 429,
  internal: 500,
  /** There was no answer in time, and it may have been done. */
  timeout: 504,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

/** A call is refused; what it says is for the caller. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  /** The value of the call that is wrong: `port`, `will.topic`, `payload.linear.x`. */
  readonly field: string | undefined;
  /** The MQTT reason code, where a broker has given one. */
  readonly reasonCode: number | undefined;

  constructor(code: ErrorCode, message: string, details: { field?: string; reasonCode?: number } = {}) {
    super(message);
    this.code = code;
    this.field = details.field;
    this.reasonCode = details.reasonCode;
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }

  /** As the API answers it. */
  get body(): { error: Record<string, string | number> } {
    const { code, message, field, reasonCode } = this;
    return {
      error: {
        code,
        message,
        ...(field !== undefined && { field }),
        ...(reasonCode !== undefined && { reason_code: reasonCode }),
      },
    };
  }
}
