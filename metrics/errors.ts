/** A failure of btprof itself: one sentence, the next thing to type, and the exit status of the contract. */
export class BtprofError extends Error {
  override readonly name = 'BtprofError';
  readonly hint: string | undefined;
  readonly status: number;

  /**
   * @param message what failed, with the value seen
   * @param hint what to type or change next
   * @param status exit status; 125 means that btprof itself failed
   */
  constructor(message: string, hint?: string, status = 125) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

/** A mistake on the command line: status 2, or 125 under `run`, as `env` and `timeout` do. */
export class UsageError extends BtprofError {}

/** Ctrl-C before there is a result. */
export function interrupted(): BtprofError {
  return new BtprofError('interrupted before anything was measured.', undefined, 130);
}
