import { newRecorder, type Recorder } from '../../metrics/recording.ts';
import { type Plan, takesStacks } from '../compose.ts';
import { readKallsyms } from '../symbols/kallsyms.ts';
import { type MappingCache, newMappingCache } from '../symbols/mapping-cache.ts';
import { newObjectFiles } from '../symbols/object-files.ts';
import { newPerfMaps, type PerfMaps } from '../symbols/perf-maps.ts';
import { newResolver, type Resolver } from '../symbols/resolver.ts';
import { newSymbolCache, type SymbolCache, symbolCacheDirectory } from '../symbols/symbol-cache.ts';

/** What a collection knows about the processes that it follows. Its sessions share it. */
export interface ProcessState {
  readonly recorder: Recorder;
  readonly mappings: MappingCache;
  readonly perfMaps: PerfMaps;
  readonly resolver: Resolver;
}

export function newProcessState(plan: Plan): ProcessState {
  const [files, perfMaps] = [newObjectFiles(), newPerfMaps()];
  return {
    recorder: newRecorder(),
    mappings: newMappingCache(files, perfMaps),
    perfMaps,
    resolver: newResolver(
      files,
      perfMaps,
      openSymbolCache(plan),
      takesStacks(plan) ? readKallsyms : undefined,
    ),
  };
}

function openSymbolCache({ symbolCache }: Plan): SymbolCache | undefined {
  const directory = symbolCache ? symbolCacheDirectory() : undefined;
  return directory === undefined ? undefined : newSymbolCache(directory);
}
