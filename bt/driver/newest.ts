/** Holds one value. A newer value replaces one that was not taken yet. */
export interface Newest<T> {
  readonly put: (value: T) => void;
  /** Ends the iteration after the last value. */
  readonly end: () => void;
  /** Waits for values, for one consumer. After `end` it still yields the last value. */
  readonly values: AsyncIterable<T>;
}

export function newNewest<T>(): Newest<T> {
  let held: { readonly value: T } | undefined;
  let ended = false;
  let wake = () => {};
  async function* values(): AsyncGenerator<T> {
    for (;;) {
      if (!held && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const taken = held;
      held = undefined;
      if (taken) yield taken.value;
      else if (ended) return;
    }
  }
  return {
    put: (value) => {
      held = { value };
      wake();
    },
    end: () => {
      ended = true;
      wake();
    },
    values: values(),
  };
}
