import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import type { Doctor } from '../../metrics/schema.ts';
import { untilForked, untilPrints } from '../fake/processes.ts';
import { BTPROF, bpftraceThat, btprof, temporaryFile, valid, validProfile } from './btprof.ts';

const VERSION = 'case $1 in --version) exec bpftrace --version;; esac';

describe.concurrent('a failure prints a sentence and a hint, and exits with the documented status', () => {
  test.each([
    [
      'a command that does not exist',
      ['run', 'no-such-command'],
      127,
      /command not found: "no-such-command"/,
    ],
    [
      'a path that does not exist',
      ['run', './no/such'],
      127,
      /cannot run ".\/no\/such": there is no such file/,
    ],
    [
      'a file that cannot be executed',
      ['run', '/etc/passwd'],
      126,
      /cannot run "\/etc\/passwd": permission denied/,
    ],
    ['a directory', ['run', '/tmp'], 126, /it is a directory/],
    ['no command', ['run'], 125, /missing required argument 'command'/],
    [
      'an unknown option of run',
      ['run', '--jsn', 'true'],
      125,
      /unknown option '--jsn'\n\(Did you mean --json\?\)/,
    ],
    ['an unknown option of attach', ['attach', '--nope', '1'], 2, /unknown option '--nope'/],
    ['an unknown command', ['rum'], 2, /unknown command 'rum'\n\(Did you mean run\?\)/],
    ['no process id', ['attach', 'nginx'], 2, /'nginx'.*process IDs, such as 1234/],
    [
      'an unknown profiler',
      ['run', '-p', 'offcpu,cpu', 'true'],
      125,
      /unknown profiler "cpu"\n.*offcpu, oncpu, syscalls/,
    ],
    ['an unknown profiler of system', ['system', '-p', 'cpu'], 2, /unknown profiler "cpu"/],
    ['an invalid time', ['system', '-d', '10x'], 2, /'10x'.*such as 10s, 500ms or 2m/],
    ['a depth out of range', ['system', '--stack-depth', '128'], 2, /'128'.*from 1 to 127/],
    ['an unknown format', ['system', '-f', 'xml'], 2, /'xml'.*summary, json, jsonl/],
    ['an interval without lines', ['system', '-i', '1s'], 2, /--interval needs --format jsonl/],
    [
      'times of calls that are not counted',
      ['system', '--syscall-times', '-p', 'offcpu'],
      2,
      /--syscall-times needs the profiler syscalls\.\nType: -p offcpu,syscalls/,
    ],
    [
      'an invalid idle pattern',
      ['run', '--idle-match', '(', 'true'],
      125,
      /Invalid regular expression: .*such as '\^take_job\$'/,
    ],
    [
      'an output that cannot be written',
      ['run', '-o', '/no/dir/x', 'touch', '/tmp/no'],
      125,
      /cannot write "\/no\/dir\/x": ENOENT/,
    ],
    [
      'a missing bpftrace',
      ['run', '--bpftrace', '/no/bpftrace', 'true'],
      125,
      /bpftrace is missing.*"\/no\/bpftrace"\.\nCheck the path given to --bpftrace/,
    ],
  ])('%s', async (_, args, status, message) => {
    const outcome = await btprof(args);
    expect(outcome).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) });
    expect(outcome.stderr).not.toMatch(/ at .*\.mjs/);
  });

  test('a bpftrace that finds no tracepoint', async () => {
    const bpftrace = bpftraceThat(`${VERSION}; exec bpftrace -e 'tracepoint:sched:none { }'`);
    const outcome = await btprof(['run', '--bpftrace', bpftrace, 'echo', 'the command ran']);
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toMatch(/no tracepoint sched:none\.\n.*mount -t tracefs/);
  });

  test('a user other than root', async () => {
    const done = await execa('setpriv', ['--reuid=65534', process.execPath, BTPROF, 'run', 'true'], {
      reject: false,
    });
    expect(done.exitCode).toBe(125);
    expect(done.stderr).toMatch(/runs as root only, and this is user 65534\.\nRun btprof with sudo\./);
  });

  test('no tracefs', async () => {
    const script = 'umount -a -t tracefs; umount /sys/kernel/debug 2>/dev/null; exec "$0" "$@"';
    const done = await execa('unshare', ['--mount', 'sh', '-c', script, BTPROF, 'run', 'true'], {
      reject: false,
    });
    expect(done.exitCode).toBe(125);
    expect(done.stderr).toMatch(
      /tracefs is not mounted.*\nMount it: mount -t tracefs nodev \/sys\/kernel\/tracing/,
    );
  });

  test.each([
    [
      'a root without CAP_SYS_ADMIN',
      ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin'],
      /^btprof: btprof needs the capability CAP_SYS_ADMIN, .*\n.*--privileged/,
    ],
    ['a user namespace', ['unshare', '-Ur'], /^btprof: btprof runs in a user namespace, .*\n.* on the host/],
    [
      'no /proc',
      ['unshare', '-m', 'sh', '-c', 'umount -l /proc; exec "$0" "$@"'],
      /^btprof: cannot read \/proc\/self\/cmdline: ENOENT\.\n.*mount -t proc/,
    ],
  ])('%s', async (_, [command = '', ...words], message) => {
    const done = await execa(command, [...words, process.execPath, BTPROF, 'run', 'true'], { reject: false });
    expect(done).toMatchObject({ exitCode: 125, stdout: '', stderr: expect.stringMatching(message) });
  });

  test('attach and doctor without /proc', async () => {
    const script = 'umount -l /proc; "$0" "$1" attach 1; "$0" "$1" doctor';
    const words = ['-m', 'sh', '-c', script, process.execPath, BTPROF];
    const { stdout, stderr } = await execa('unshare', words, { reject: false });
    expect(stderr).toBe('btprof: /proc is not mounted.\nMount it: mount -t proc proc /proc');
    expect(stdout).toMatch(/^failed +privilege +\/proc is not mounted\n +fix: Mount it: /m);
  });

  test('a PID namespace, whose pids differ from those of the kernel', async () => {
    const words = ['--pid', '--fork', '--mount-proc', BTPROF, 'run', 'true'];
    const done = await execa('unshare', words, { reject: false });
    expect(done.exitCode).toBe(125);
    expect(done.stderr).toMatch(/runs in a PID namespace, but the kernel .*\n.*--pid=host/);
  });

  test('only 1 KB for each file', async () => {
    const words = ['--fsize=1024', process.execPath, BTPROF, 'run', 'true'];
    const done = await execa('prlimit', words, { reject: false });
    expect(done).toMatchObject({ exitCode: 125, stdout: '' });
    expect(done.stderr).toMatch(/^btprof: cannot start the program that holds the command: EFBIG: /);
  });

  test('a full disk', async () => {
    const { status, stderr } = await btprof(['run', '--json', '-o', '/dev/full', 'true']);
    expect({ status, stderr }).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/cannot write to "\/dev\/full": ENOSPC/),
    });
  });
});

describe.concurrent('bpftrace killed during a run', () => {
  /** Kills bpftrace as soon as a shell condition holds, and then creates the file `killed`. */
  const killer = (condition: string, killed: string) =>
    bpftraceThat(
      `${VERSION}; bpftrace "$@" & pid=$!; until ${condition}; do sleep 0.1; done; kill -9 $pid; wait; touch '${killed}'`,
    );
  /** A command that runs until then. */
  const UNTIL_KILLED = 'touch "$0"; until [ -e "$1" ]; do sleep 0.05; done';

  test('ends with status 125 after the command has ended normally', async () => {
    const [file, started, killed] = [
      temporaryFile('p.json'),
      temporaryFile('started'),
      temporaryFile('killed'),
    ];
    const command = ['sh', '-c', `${UNTIL_KILLED}; echo ended`, started, killed];
    const bpftrace = killer(`[ -e '${started}' ]`, killed);
    const args = ['run', '--json', '-o', file, '--bpftrace', bpftrace, ...command];
    const { status, stdout, stderr } = await btprof(args);
    expect({ status, stdout }).toEqual({ status: 125, stdout: 'ended\n' });
    expect(stderr).toMatch(/bpftrace ended .* before it printed its maps: the counts are lost/);
    const { metadata, quality } = validProfile(readFileSync(file, 'utf8'));
    expect(metadata.incomplete).toBe(true);
    expect(quality.warnings.join()).toMatch(/before it printed its maps/);
  });

  test('leaves the prints of the intervals', async () => {
    const [file, started, killed] = [
      temporaryFile('p.jsonl'),
      temporaryFile('started'),
      temporaryFile('killed'),
    ];
    const command = ['sh', '-c', UNTIL_KILLED, started, killed];
    const interval = ['-f', 'jsonl', '-i', '100ms', '-o', file];
    // Each sample takes at least one interval of the command's loop.
    const bpftrace = killer(`[ "$(wc -l < '${file}')" -gt 10 ]`, killed);
    await btprof(['run', ...interval, '--bpftrace', bpftrace, ...command]);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const result = validProfile(lines.at(-1) ?? '');
    expect(result.metadata.incomplete).toBe(true);
    expect(result.ebpf.syscalls?.total).toBeGreaterThan(100);
    expect(result.ebpf.offcpu?.total_events).toBeGreaterThan(5);
  });
});

describe.concurrent('a reader that closes the pipe', () => {
  test('ends btprof normally', async () => {
    const script = 'set -o pipefail; "$0" run --json true | head -c 20';
    const done = await execa('bash', ['-c', script, BTPROF], { reject: false });
    expect(done).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^\{\n {2}"kind": "profile/),
      stderr: '',
    });
  });

  test('changes neither the command nor its status', async () => {
    const script = '{ "$0" run -q sh -c "exit 7" 2>&1; echo $? >&2; } | true';
    const done = await execa('bash', ['-c', script, BTPROF], { reject: false });
    expect(done.stderr).toBe('7');
  });
});

describe('doctor', () => {
  test('passes on a host that can profile, after a trial', async () => {
    const { status, stdout } = await btprof(['doctor', '--json']);
    const { ok, checks } = valid<Doctor>(stdout);
    expect({ status, ok }).toEqual({ status: 0, ok: true });
    expect(checks.map((check) => check.name)).toEqual(
      expect.arrayContaining([
        'platform',
        'privilege',
        'bpftrace',
        'tracefs',
        'btf',
        'offcpu',
        'syscalls',
        'kernel_symbols',
        'perf_event_paranoid',
        'lockdown',
        'memlock',
        'runtimes',
        'trial',
        'user_stacks',
      ]),
    );
    // The tests themselves run in Node.js.
    expect(checks.find((check) => check.name === 'runtimes')).toMatchObject({
      status: 'limited',
      fix: expect.stringContaining('--perf-basic-prof'),
    });
    expect(checks.find((check) => check.name === 'trial')?.detail).toMatch(
      /[1-9]\d* waits? and [1-9]\d* system calls/,
    );
  });

  test('exits with 1 if the host cannot profile, and prints how to fix it', async () => {
    const { status, stdout } = await btprof(['doctor', '--bpftrace', '/no/bpftrace']);
    expect(status).toBe(1);
    expect(stdout).toMatch(/failed +bpftrace .*\n +fix: btprof doctor --bpftrace PATH/);
    expect(stdout).toMatch(/cannot profile yet/);
  });
});

test('script prints a program that runs with bpftrace alone', async () => {
  const { stdout } = await btprof(['script', '--no-stacks', 'offcpu', 'syscalls']);
  const sleeper = execa('sh', ['-c', 'while :; do sleep 0.05; done'], { reject: false, stdout: 'ignore' });
  const tracer = execa('bpftrace', ['-f', 'json', '-', String(sleeper.pid)], {
    reject: false,
    input: stdout,
  });
  await untilPrints(tracer.stdout, '"ready"');
  await untilForked(sleeper.pid as number, 20);
  tracer.kill('SIGINT');
  const done = await tracer;
  sleeper.kill('SIGKILL');
  expect(done.stdout).toMatch(new RegExp(`"${sleeper.pid},61": \\d\\d`)); // wait4
  expect(done.stdout).toMatch(new RegExp(`"${sleeper.pid},${sleeper.pid},1,1": {"count": \\d\\d`));
});

test('profilers lists the profilers', async () => {
  const { status, stdout } = await btprof(['profilers']);
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^offcpu: .*\n {2}attaches to +sched:sched_switch, task:task_newtask, sched:sched_process_exit\n/,
  );
  expect(stdout).toMatch(
    /\nsyscalls: .*\n {2}attaches to +raw_syscalls:sys_enter, sched:sched_process_exit\n/,
  );
});
