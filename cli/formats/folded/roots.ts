/** What can come before the frames of a folded stack. */
export const ROOTS = ['process', 'thread', 'reason'] as const;
export type Root = (typeof ROOTS)[number];
