import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bottlenecks } from '../../bt/profilers/offcpu/bottlenecks.ts';
import type { ResultLook } from '../../cli/formats/format.ts';
import { summaryView } from '../../cli/formats/summary/summary-page.ts';
import { REASON_SUBJECTS, REASONS } from '../../metrics/reasons.ts';
import type { Profile } from '../../metrics/schema.ts';
import { resultOf } from './cli/formats/result-of.ts';
import { recorded } from './metrics/recorded-profiles.ts';

const DOCUMENTS = ['README.md', ...readdirSync('docs/examples').map((name) => `docs/examples/${name}`)];
const LOOK: ResultLook = { columns: 100, colours: false, ascii: false, verbose: false, idle: 'fold' };

let shapes: ReadonlySet<string> | undefined;
const known = () => {
  shapes ??= knownShapes();
  return shapes;
};

/** A line of a summary in a document, joined with its continuation lines. */
interface Shown {
  readonly at: string;
  readonly text: string;
}

describe.each(DOCUMENTS.filter((path) => summariesIn(path).length > 0))('%s', (path) => {
  test('shows summaries as btprof prints them today: each line has the words of a printed one', () => {
    const stale = summariesIn(path)
      .filter(({ text }) => !shapesOf(text).every((shape) => known().has(shape)))
      .map(({ at, text }) => `${at}: ${text}`);
    expect(stale).toEqual([]);
  });

  test('shows complete summaries: nothing is missing that every summary has', () => {
    const shown = new Set(summariesIn(path).flatMap(({ text }) => shapesOf(text)));
    expect([...shapesOfAll()].filter((shape) => !shown.has(shape))).toEqual([]);
  });
});

/** Patterns of lines, and of clauses of the quality line, that are in every summary with known costs. */
function shapesOfAll(): Set<string> {
  const profiles = ['demo', 'sleepers', 'deadlock'].map((name) => withCosts(recorded('0.27', name)));
  const all = [
    ...profiles,
    ...profiles.map(withTwoThreads),
    ...profiles.map((profile) => withEverything(profile)),
  ];
  const [first, ...others] = all.map(
    (profile) => new Set(shapesOfPage(summaryView(resultOf(profile), LOOK))),
  );
  return new Set([...(first as Set<string>)].filter((shape) => others.every((shapes) => shapes.has(shape))));
}

/** The summaries in a document: console blocks in which a command of btprof prints one. */
function summariesIn(path: string): Shown[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  const shown: Shown[] = [];
  let inside = false;
  for (const [i, text] of lines.entries()) {
    if (text.startsWith('```'))
      inside = text === '```console' && /^[#$] btprof (run|attach|system)/.test(lines[i + 1] ?? '');
    else if (inside && !/^[#$] /.test(text)) shown.push({ at: `${path}:${i + 1}`, text });
  }
  return joined(shown);
}

/** Long sentences are broken into lines, and continuation lines begin with two spaces. */
function joined(lines: readonly Shown[]): Shown[] {
  const whole: Shown[] = [];
  let open = false;
  for (const line of lines) {
    const last = whole.at(-1);
    if (open && last && /^ {2}\S/.test(line.text))
      whole[whole.length - 1] = { ...last, text: `${last.text} ${line.text.trim()}` };
    else {
      whole.push(line);
      open = /^(- |Quality:|Hint:|Warning:)/.test(line.text);
    }
  }
  return whole.filter(({ text }) => text !== '');
}

/** What the code prints for all recordings, and for profiles with everything that can be reported. */
function knownShapes(): Set<string> {
  const profiles = ['0.17', '0.23', '0.27'].flatMap((version) =>
    ['demo', 'sleepers', 'forks', 'deadlock', 'oncpu', 'full'].map((name) => recorded(version, name)),
  );
  const everything = [1, 3].flatMap((count) => profiles.map((profile) => withEverything(profile, count)));
  const pages = [...profiles, ...everything, ...profiles.map(withTwoThreads)].flatMap((profile) =>
    [LOOK, { ...LOOK, verbose: true }].map((look) => summaryView(resultOf(profile), look)),
  );
  return new Set(pages.flatMap(shapesOfPage));
}

function shapesOfPage(page: string): string[] {
  return joined(page.split('\n').map((text) => ({ at: '', text }))).flatMap(({ text }) => shapesOf(text));
}

/** With figures that are only known after a run on the kernel. */
function withCosts(profile: Profile): Profile {
  const overhead = {
    ...{ cpu_share: 0.1, bpf_time_ns: 1e6, bpf_events: 1000, events_per_second: 100 },
    ...{ ns_per_event: 1000, timed_ns: 1e6 },
  };
  const footprint = {
    ...{ cpu_time_ns: 1e8, cpu_share: 0.1 },
    ...{ btprof_peak_bytes: 1e8, bpftrace_peak_bytes: 1e8, map_bytes: 1e8 },
  };
  return { ...profile, quality: { ...profile.quality, overhead, footprint } };
}

/** With losses of every kind, `count` of each. */
function withEverything(profile: Profile, count = 3): Profile {
  const { quality, ebpf, account } = profile;
  const counts = Object.fromEntries(
    Object.entries(quality).map(([key, value]) => [key, value === 0 ? count : value]),
  );
  const { overhead, footprint } = withCosts(profile).quality;
  const offcpu = ebpf.offcpu && {
    ...ebpf.offcpu,
    bottlenecks: bottlenecks({
      ...ebpf.offcpu,
      idle: { time_ns: ebpf.offcpu.total_time_ns, count: 7, by_kind: { events: { time_ns: 1e9, count: 7 } } },
      still_blocked: [],
    }),
    idle: { time_ns: 1e9, count: 7, by_kind: { events: { time_ns: 1e9, count: 7 } } },
    still_blocked: ebpf.offcpu.still_blocked.map((wait, i) => ({
      ...wait,
      idle: i === 0 ? ('events' as const) : null,
    })),
  };
  return {
    ...profile,
    quality: {
      ...quality,
      ...counts,
      overhead,
      footprint,
      hints: [...quality.hints, 'a', 'b', 'c', 'd'],
    } as Profile['quality'],
    ebpf: { ...ebpf, ...(offcpu ? { offcpu } : {}) },
    ...(account
      ? {
          account: {
            ...account,
            miscounted_ns: account.thread_time_ns / 10,
            idle_ns: { poll: account.thread_time_ns / 5 },
          },
        }
      : {}),
  };
}

/** The source code with the sentences of hints and warnings. Inserted values are replaced like figures. */
const SOURCE = ['bt', 'metrics', 'cli']
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
  )
  .filter((path) => path.endsWith('.ts'))
  .map((path) =>
    readFileSync(path, 'utf8')
      .replace(/['`] \+\s*['`]/g, '')
      .replace(/\$\{[^}]*\}/g, '#'),
  )
  .join('\n');

/** Parts of a sentence with three words or more, split at figures and punctuation. Shorter ones may be names. */
function phrasesOf(text: string): string[] {
  const parts = text.replace(/^\w+: /, '').split(/ ?[#[\]]+ ?|[,:;.](?= |$)/);
  return parts.map((part) => part.trim()).filter((part) => part.split(' ').length >= 3);
}

/** A profile of an attached process without idle waits. */
function withTwoThreads(profile: Profile): Profile {
  return { ...profile, metadata: { ...profile.metadata, mode: 'attach', exit: null } };
}

/**
 * A line without the parts that depend on the program: figures become `#`, function names `[]`, reasons `R`. Of a table row
 * only the columns are left. The clauses of the quality line are separate lines, because each is printed only if it applies.
 */
function shapesOf(line: string): string[] {
  const text = plain(line);
  if (/^(Hint|Warning):/.test(text)) return phrasesOf(text).filter((phrase) => !SOURCE.includes(phrase));
  if (/^btprof: /.test(text)) return [];
  if (/^Quality: /.test(text)) return clausesOf(text.slice('Quality: '.length).replace(/\.$/, ''));
  if (/^( *#){2}/.test(text)) return [];
  return [text.replace(/ (\(# of #\))/g, '').trim()];
}

function clausesOf(text: string): string[] {
  return text.split(', ').map((clause) => `quality: ${clause}`);
}

const REASON = new RegExp(
  `\\b(${[...REASONS, ...Object.values(REASON_SUBJECTS)].join('|')}|events|idle)\\b`,
  'g',
);

function plain(line: string): string {
  return line
    .replace(/[█▉▊▋▌▍▎▏≈]+/g, '')
    .replace(/\[[^\]]*\]/g, '[]')
    .replace(/ready, waiting for a CPU/, '[]')
    .replace(/\d+ (min|h) \d+ (s|min)\b/g, '#')
    .replace(/-?\d[\d,]*(\.\d+)?( ?(ns|µs|ms|s|min|h|%|kB|MB|GB))?(?![\w])/g, '#')
    .replace(REASON, 'R')
    .replace(/Thread #:# \([^)]*\)/, 'Thread')
    .replace(/# (process|switch|stack|wait|thread|event|Frame|frame)(es|s)?\b/g, '# $1')
    .replace(/(\w+ #, )*\w+ #$/, (list) => (/^[a-zR_]+ #(, [a-zR_]+ #)*$/.test(list) ? 'R #' : list))
    .replace(/^(System calls: # \(#\/s\)), [\w /]+$/, '$1, R')
    .replace(/\s+/g, ' ');
}
