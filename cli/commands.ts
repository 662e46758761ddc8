/**
 * What the commands need, loaded when one runs: to print a help text takes none of it. The build packs all of this into one
 * piece, which stays a string until then.
 */
export const profile = () => import('./profile.ts');
export const report = () => import('./report.ts');
export const diff = () => import('./diff.ts');
export const script = () => import('./script.ts');
export const doctor = () => import('./doctor.ts');
export const demo = () => import('./demo.ts');
