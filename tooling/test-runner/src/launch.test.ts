import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, describe, expect, it } from 'vitest';

const launch = new URL('../../launch/', import.meta.url);
const home = tempDir();

afterAll(() => home.remove());

interface Running {
  readonly child: ChildProcess;
  /** Resolves to the code or signal with which it ended. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  output(): string;
  until(text: string): Promise<void>;
}

function runScript(script: string): Running {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  return {
    child,
    ended: new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve(code ?? signal);
      });
    }),
    output: () => output,
    async until(text) {
      await expect.poll(() => output, { timeout: 10_000 }).toContain(text);
    },
  };
}

const GRACEFUL = `
let asked = 0;
process.on('SIGTERM', () => {
  asked += 1;
  // The launcher is asked once more while this process is still ending.
  if (asked === 1) process.kill(process.ppid, 'SIGTERM');
  setTimeout(() => { console.log('asked ' + asked); process.exit(7); }, 200);
});
console.log('pid ' + process.pid + ' ready');
setInterval(() => undefined, 1000);
`;

function runBound(): Running {
  return runScript(`
    import { endLike } from '${new URL('child.mjs', launch).href}';
    import { runBoundChild } from '${new URL('bound-child.mjs', launch).href}';
    endLike(await runBoundChild(process.execPath, ['-e', ${JSON.stringify(GRACEFUL)}], {}));
  `);
}

describe('a bundle', () => {
  it('leaves no process of the bundler behind', async () => {
    const entry = join(home.path, 'bundled.js');
    writeFileSync(entry, 'console.log(1);');
    const bundling = runScript(`
      import { bundle } from '${new URL('bundles.mjs', launch).href}';
      import { readFileSync } from 'node:fs';
      const children = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim();
      const made = bundle({ entryPoints: [${JSON.stringify(entry)}], outdir: ${JSON.stringify(join(home.path, 'out'))}, write: false });
      await new Promise((resolve) => { setTimeout(resolve, 5); });
      const during = children() !== '';
      await made;
      // It is told to end, and is gone a moment later.
      for (let waits = 0; children() !== '' && waits < 500; waits += 1)
        await new Promise((resolve) => { setTimeout(resolve, 10); });
      console.log(JSON.stringify({ during, after: children() }));
    `);
    expect(await bundling.ended).toBe(0);
    expect(JSON.parse(bundling.output())).toEqual({ during: true, after: '' });
  });
});

describe('runBoundChild', () => {
  it('passes a signal on once however often it comes at a time, and ends as the child does', async () => {
    const launcher = runBound();
    await launcher.until('ready');
    launcher.child.kill('SIGTERM');
    expect(await launcher.ended).toBe(7);
    expect(launcher.output()).toContain('asked 1\n');
  });

  it('lets no child outlive a launcher that was killed', async () => {
    const launcher = runBound();
    await launcher.until('ready');
    const pid = /pid (\d+)/.exec(launcher.output())?.[1];
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    launcher.child.kill('SIGKILL');
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false);
  });
});

describe('exclusively', () => {
  const contender = (lock: string, name: string, ending: string): Running =>
    runScript(`
      import { exclusively } from '${new URL('exclusive.mjs', launch).href}';
      await exclusively(${JSON.stringify(lock)}, async () => {
        console.log('${name} in ' + Date.now());
        await new Promise((resolve) => setTimeout(resolve, 300));
        ${ending}
        console.log('${name} out ' + Date.now());
      });
    `);
  const timeOf = (running: Running, event: string): number =>
    Number(new RegExp(`${event} (\\d+)`).exec(running.output())?.[1]);

  it('lets one process at a time do the work', async () => {
    const lock = join(home.path, 'lock');
    const [first, second] = [contender(lock, 'a', ''), contender(lock, 'b', '')];
    expect(await Promise.all([first.ended, second.ended])).toEqual([0, 0]);
    const isApart =
      timeOf(first, 'a out') <= timeOf(second, 'b in') || timeOf(second, 'b out') <= timeOf(first, 'a in');
    expect(isApart).toBe(true);
    expect(existsSync(lock)).toBe(false);
  });

  it('takes over from a process that died at work', async () => {
    const lock = join(home.path, 'left-over');
    expect(await contender(lock, 'a', 'process.kill(process.pid, "SIGKILL");').ended).toBe('SIGKILL');
    expect(existsSync(lock)).toBe(true);
    expect(await contender(lock, 'b', '').ended).toBe(0);
  });
});

describe('npm start', () => {
  it('names another port before anything is installed when its own is taken', async () => {
    const clone = join(home.path, 'clone');
    const root = new URL('../../../', import.meta.url);
    for (const path of ['package.json', 'pnpm-lock.yaml', 'tooling/bin', 'tooling/launch'])
      cpSync(new URL(path, root), join(clone, path), { recursive: true });
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const start = runScript(
      `
      process.chdir(${JSON.stringify(clone)});
      process.stderr.write = (text) => process.stdout.write(text);
      process.env.PORT = '${port}';
      await import('./tooling/bin/start.mjs');
    `.replace('./tooling', new URL(`file://${clone}/tooling`).href),
    );
    expect(await start.ended).toBe(78);
    taken.close();
    expect(start.output()).toMatch(
      new RegExp(`^Port ${port} is taken by another program\\. .*\\n\\n {2}PORT=\\d+ npm start\\n$`),
    );
    expect(existsSync(join(clone, 'node_modules'))).toBe(false);
  });
});

describe('the package manager', () => {
  const packed = join(home.path, 'packed');
  const fetch = (integrity: string): Running =>
    runScript(`
      import { fetchVerified } from '${new URL('verified-archive.mjs', launch).href}';
      try {
        console.log(fetchVerified('sample', 'file:${packed}', '${integrity}', '${home.path}'));
      } catch (error) {
        console.log(error.message);
      }
    `);

  it('is refused when it is not the one that the lockfile names', async () => {
    mkdirSync(packed);
    writeFileSync(join(packed, 'package.json'), JSON.stringify({ name: 'sample', version: '1.0.0' }));
    const { stdout } = spawnSync('npm', ['pack', '--json', '--dry-run', packed], { encoding: 'utf8' });
    const [{ integrity = '' } = {}] = JSON.parse(stdout) as { integrity?: string }[];
    const genuine = fetch(integrity);
    await genuine.ended;
    expect(genuine.output()).toBe(`${join(home.path, 'sample-1.0.0.tgz')}\n`);
    const other = fetch(`sha512-${Buffer.alloc(64).toString('base64')}`);
    await other.ended;
    expect(other.output()).toContain('is not what pnpm-lock.yaml names');
  });
});
