import { describe, expect, test } from 'vitest';
import { composeMaps, composeProgram, type Plan, type ProgramTarget } from '../../../bt/compose.ts';
import { dialectFor } from '../../../bt/dialect.ts';
import { ATTACH, PLAN, RUN } from './programs.ts';

const NEW: ProgramTarget = { ...ATTACH, dialect: dialectFor('bpftrace v0.27.1') };
const DWARF: ProgramTarget = { ...NEW, dwarfPids: [23, 101] };

/** The place where waits begin: the condition that chooses the unwinder, and the lines that read the user stack. */
function choiceIn(plan: Plan, context: ProgramTarget): string[] {
  const lines = composeProgram(plan, context).split('\n');
  const at = lines.findIndex((line) => /^ *if .*pid == 23/.test(line));
  const chosen = at < 0 ? [] : lines.slice(at).map((line) => line.trim());
  return chosen.filter((line) => /pid == 23|= @user_numbers\[(dw_)?ustack/.test(line));
}

describe('a program that unwinds by DWARF', () => {
  test('does so for the requested processes until they run another program', () => {
    expect(choiceIn(PLAN, DWARF)).toEqual([
      'if (@gen[(uint64)pid] == 1 && (pid == 23 || pid == 101)) {',
      '$user = @user_numbers[dw_ustack(raw, 127)];',
      '$user = @user_numbers[ustack(raw, 127)];',
    ]);
  });

  test('enables the DWARF unwinder in the config of bpftrace', () => {
    expect(composeProgram(PLAN, DWARF)).toContain(' */\n\nconfig = { unstable_dw_ustack=enable }\n\n');
    expect(composeProgram(PLAN, NEW)).not.toContain('config');
  });

  test('differs from other programs only in that', () => {
    const without = composeProgram(PLAN, DWARF)
      .split('\n')
      .filter((line) => !/dw_ustack|pid == 23/.test(line));
    const plain = composeProgram(PLAN, NEW)
      .split('\n')
      .map((line) => line.trim());
    expect(without.map((line) => line.trim()).filter((line) => !plain.includes(line))).toEqual([]);
    expect(composeMaps(PLAN, DWARF)).toEqual(composeMaps(PLAN, NEW));
  });

  test('unwinds only where waits begin, and to the requested depth', () => {
    const program = composeProgram({ ...PLAN, stackDepth: 17 }, DWARF);
    expect(program.match(/= .*dw_ustack\(.*?\)\];/g)).toEqual(['= @user_numbers[dw_ustack(raw, 17)];']);
    expect(new Set(program.match(/dw_ustack\(.*?\)/g))).toEqual(new Set(['dw_ustack(raw, 17)']));
  });
});

test.each<[string, Plan, ProgramTarget]>([
  ['no process is requested', PLAN, { ...NEW, dwarfPids: [] }],
  ['no stacks are requested', { ...PLAN, stacks: false }, DWARF],
  ['a command is profiled from its start', PLAN, { ...RUN, dialect: NEW.dialect }],
])('a program does not unwind by DWARF if %s', (_, plan, context) => {
  expect(choiceIn(plan, context)).toEqual([]);
  expect(composeProgram(plan, context)).not.toContain('dw_ustack(');
});
