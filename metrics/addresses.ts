import { type KnownAddresses, readStack } from '../parsers/stack.ts';

/** An address in a stack. The first one of a stack is where the thread was; the others are return addresses. */
export interface KernelAddress {
  /** Hexadecimal. */
  readonly digits: string;
  readonly leaf: boolean;
}

/** An address of user code. */
export interface UserAddress extends KernelAddress {
  readonly pid: number;
  /** The exec generation of the process. */
  readonly generation: number;
}

/** The distinct addresses of all stacks. A stack is a list of indices into them, leaf first. */
export interface Addresses {
  readonly kernelAddresses: readonly KernelAddress[];
  readonly userAddresses: readonly UserAddress[];
  /** @param text a stack as bpftrace printed it */
  readonly kernel: (text: string) => number[];
  readonly user: (text: string, pid: number, generation: number) => number[];
}

export function newAddresses(): Addresses {
  const kernelAddresses: KernelAddress[] = [];
  const userAddresses: UserAddress[] = [];
  const kernelKnown = newKnown();
  const spaces = new Map<string, KnownAddresses>();
  const knownIn = (pid: number, generation: number): KnownAddresses => {
    const key = `${pid}:${generation}`;
    const known = spaces.get(key) ?? newKnown();
    spaces.set(key, known);
    return known;
  };
  return {
    kernelAddresses,
    userAddresses,
    kernel: (text) =>
      readStack(text, kernelKnown, (digits, leaf) => kernelAddresses.push({ digits, leaf }) - 1),
    user: (text, pid, generation) =>
      text === ''
        ? []
        : readStack(
            text,
            knownIn(pid, generation),
            (digits, leaf) => userAddresses.push({ digits, leaf, pid, generation }) - 1,
          ),
  };
}

function newKnown(): KnownAddresses {
  return { leaf: new Map(), callers: new Map() };
}
