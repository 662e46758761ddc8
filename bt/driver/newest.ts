/** A place for one value, where a newer one replaces one that nobody has taken yet. */
export interface Newest<T> {
  readonly put: (value: T) => void;
  /** No value will come any more. */
  readonly end: () => void;
  /** Waits for a value; after `end` it still gives the last one that was put. For one consumer. */
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
