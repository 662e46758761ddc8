/** How user stacks are unwound: by frame pointers, by DWARF, or by DWARF where frame pointers are missing. */
export const UNWINDERS = ['fp', 'dwarf', 'auto'] as const;
export type Unwinder = (typeof UNWINDERS)[number];
