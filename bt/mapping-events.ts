import { type Fragment, reportFull } from './program.ts';

/** Maximum number of path components that are printed, from the file upwards. */
export const LEVELS = 16;
/**
 * Number of words of the auxiliary vector that are printed. They alternate between key and value; the loader's base is
 * among the first on every architecture.
 */
const AUXV_WORDS = 20;
/** `PROT_EXEC` of mmap(2). */
const EXECUTABLE = 4;
/** `MAP_ANONYMOUS` of mmap(2). */
const ANONYMOUS = '0x20';

/** Kernel tracepoints of this part. */
export const MAPPING_TRACEPOINTS = ['syscalls:sys_enter_mmap', 'syscalls:sys_exit_mmap'] as const;

/**
 * Prints every new executable mapping of each followed process, so that addresses can be named even if the process
 * lives for a millisecond only. Needs BTF. It prints the device and inode of the file, as in /proc/PID/maps, and its
 * path once, name by name from the file upwards.
 */
export function mappingEvents(): Fragment {
  return {
    clauses: [
      {
        attach: 'tracepoint:syscalls:sys_enter_mmap',
        condition: `@gen[(uint64)pid] && (args->prot & ${EXECUTABLE}) && (args->flags & ${ANONYMOUS}) == 0`,
        comment: 'Code mapped from a file: libraries.',
        body: [
          '$file = (struct file *)*(uint64 *)((uint64)curtask->files->fdt->fd + args->fd * 8);',
          ...announceFile(),
          '@mapping[(uint64)tid] = ((uint64)args->len, (uint64)args->off, $dev, $ino);',
          reportFull('@mapping', '@mapping[(uint64)tid].0 == 0'),
        ],
      },
      {
        attach: 'tracepoint:syscalls:sys_exit_mmap',
        condition: '@mapping[(uint64)tid].0',
        comment: 'The address of the mapping; an error is not a user address.',
        body: [
          '$m = @mapping[(uint64)tid];',
          '$start = args->ret;',
          'if ($start > 0) {',
          '  print(("mapping", nsecs, pid, @gen[(uint64)pid], (uint64)$start, $m.0, $m.1, $m.2, $m.3));',
          '}',
          'delete(@mapping[(uint64)tid]);',
        ],
      },
    ],
    begin: [
      '@mapping[(uint64)0] = ((uint64)0, (uint64)0, (uint64)0, (uint64)0);',
      'delete(@mapping[(uint64)0]);',
    ],
    maps: [
      { name: '@mapping', role: 'helper', key: 1, value: 4, reportsFull: true },
      // If it is full, paths are printed several times, but nothing is lost.
      { name: '@files', role: 'helper', key: 2, value: 1 },
    ],
  };
}

/** Statements that print where a new program was loaded, and its auxiliary vector, which says where the loader is. */
export function announceProgram(): string[] {
  const words = Array.from({ length: AUXV_WORDS }, (_, i) => `curtask->mm->saved_auxv[${i}]`);
  return [
    '$file = curtask->mm->exe_file;',
    ...announceFile(),
    'print(("image", nsecs, pid, @gen[(uint64)pid], (uint64)curtask->mm->start_code, $dev, $ino));',
    `print(("auxv", pid, @gen[(uint64)pid], ${words.join(', ')}));`,
  ];
}

function announceFile(): string[] {
  return [
    '$dev = (uint64)$file->f_inode->i_sb->s_dev;',
    '$ino = (uint64)$file->f_inode->i_ino;',
    'if (@files[$dev, $ino] == 0) {',
    '  @files[$dev, $ino] = 1;',
    '  $entry = $file->f_path.dentry;',
    '  $level = 0;',
    `  unroll(${LEVELS}) {`,
    '    if ($entry != $entry->d_parent) {',
    '      print(("path", $dev, $ino, $level, str($entry->d_name.name)));',
    '      $entry = $entry->d_parent;',
    '      $level = $level + 1;',
    '    }',
    '  }',
    '}',
  ];
}
