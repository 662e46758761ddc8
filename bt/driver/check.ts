import type { DoctorCheck } from '../../metrics/schema.ts';

/** One check of `btprof doctor`, without its name. */
export type Check = Omit<DoctorCheck, 'name'>;

export const ok = (detail: string): Check => ({ status: 'ok', detail, fix: null });
export const limited = (detail: string, fix: string | null): Check => ({ status: 'limited', detail, fix });
export const failed = (detail: string, fix: string | null): Check => ({ status: 'failed', detail, fix });
