import type { FlameStack } from '../../../../cli/formats/flamegraph/flame-stack.ts';
import type { StackFrame } from '../../../../metrics/timed-stacks.ts';

/** A stack of user frames, root first. Names that end in `_k` are kernel functions. */
export function stackOf(names: string, timeNs: number, rest: Partial<FlameStack> = {}): FlameStack {
  const frames = names === '' ? [] : names.split(' ').map((name) => frameOf(name));
  return {
    ...{ pid: 1, tid: 1, comm: 'worker', kind: 'lock', idle: false, open: false, timeNs, count: 1 },
    ...{ frames, ...rest },
  };
}

export function frameOf(symbol: string, rest: Partial<StackFrame['frame']> = {}): StackFrame {
  const kernel = symbol.endsWith('_k');
  const module = kernel ? '[kernel]' : '/usr/bin/worker';
  return {
    frame: { address: '0x1000', symbol, module, offset: 0, ...rest },
    ...{ kind: kernel ? 'kernel' : 'user', mapping: undefined },
  };
}
