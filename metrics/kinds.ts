/** The kind of time on a CPU. */
export const ON_CPU = 'on_cpu';
/** The kind of time that nothing explains. */
export const UNACCOUNTED = 'unaccounted';
