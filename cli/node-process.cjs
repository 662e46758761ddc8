// Stands in for 'node:process' in the bundle: see standard-streams.ts.
module.exports = globalThis.process;
