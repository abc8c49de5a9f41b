import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evidenceEnv, PUBLIC_KEY_PEM, type Receiver, startReceiver } from './evidence-sample.ts';
import type { LocalService } from './local-service.ts';

const SEPARATOR = '----- next block -----';
const root = new URL('../../../', import.meta.url);

/** The documents whose blocks are run, and how many of these say what they print. */
const DOCUMENTS = [
  ['README.md', 2],
  ['docs/cli.md', 3],
  ['docs/guide.md', 11],
  ['docs/import.md', 3],
  ['docs/audit.md', 8],
  ['docs/access.md', 9],
  ['docs/migrations.md', 3],
  ['docs/approvals.md', 5],
] as const;
type Document = (typeof DOCUMENTS)[number][0];

interface Block {
  readonly script: string;
  /** The lines that the text below the block says it prints. */
  readonly prints: readonly string[];
}

function blocksOf(markdown: string): Block[] {
  return markdown
    .split(/^```bash\n/m)
    .slice(1)
    .map((part) => {
      const [script = '', below = ''] = part.split(/^```\n/m);
      const sentence = /It prints ([^:.]*?)(?:[:.]\s|$)/.exec(below.split(/^#/m)[0] ?? '')?.[1] ?? '';
      return { script, prints: [...sentence.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '') };
    });
}

/** Where a reader's shell looks: not into this repository, whose Node.js is newer than the one that `npm start` needs. */
function readersPath(): string {
  const path = process.env['PATH']?.split(':') ?? [];
  return path.filter((place) => !place.includes('/node_modules/')).join(':');
}

/** Starts what npx starts in this repository, without npm, which takes three quarters of the processor time. */
const QUICK_NPX = `#!/bin/sh
name=$1
shift
PATH="$PWD/node_modules/.bin:$PATH"
if [ "$name" = kms ]; then exec "$PWD/tooling/bin/kms.mjs" "$@"; fi
exec "$name" "$@"
`;

/**
 * The names that would end up in a commit or an image if the commands were run in the repository: what they write can be a key, a
 * token or evidence.
 */
async function notIgnored(names: readonly string[]): Promise<Readonly<Record<'git' | 'docker', readonly string[]>>> {
  const remaining = async (ignoreFile: string) => {
    const repository = tempDir('qnsp-ignore-');
    const git = (...args: string[]) =>
      spawnSync('git', args, { cwd: repository.path, input: names.join('\n'), encoding: 'utf8' });
    git('init', '--quiet');
    copyFileSync(new URL(ignoreFile, root), join(repository.path, '.gitignore'));
    const { stdout } = git('check-ignore', '--stdin');
    await repository.remove();
    const ignored = new Set(stdout.split('\n'));
    return names.filter((name) => !ignored.has(name));
  };
  return { git: await remaining('.gitignore'), docker: await remaining('.dockerignore') };
}

/**
 * Tests that the blocks of every document print what it says.
 *
 * @param start starts the service that the commands talk to, with more settings
 * @param options.isNpx whether a document is read with npm's own npx
 */
export function describeDocuments(
  start: (env: Readonly<Record<string, string>>) => Promise<LocalService>,
  options: { readonly isNpx: (document: Document) => boolean },
): void {
  const directory = tempDir('qnsp-guide-');
  const home = tempDir('qnsp-guide-home-');
  const quickNpx = join(home.path, 'bin');
  let local: LocalService;
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver();
    const jwksFile = join(directory.path, 'issuer-jwks.json');
    writeFileSync(jwksFile, '{"keys":[]}');
    const issuer = { issuer: 'https://issuer.example', audience: 'https://kms.example', jwksFile };
    const platformToken = join(directory.path, 'platform.token');
    writeFileSync(platformToken, `qnsp_pqc_${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
    local = await start({
      ...evidenceEnv(receiver.url),
      KMS_JWT_ISSUERS_JSON: JSON.stringify([issuer]),
      KMS_PLATFORM_TOKEN_FILE: platformToken,
    });
    // What the documents expect to be there: the repository, and the auditor's public key.
    for (const name of ['package.json', 'packages', 'tooling', 'node_modules'])
      symlinkSync(fileURLToPath(new URL(name, root)), join(directory.path, name));
    writeFileSync(join(directory.path, 'audit-public.pem'), PUBLIC_KEY_PEM);
    mkdirSync(quickNpx);
    writeFileSync(join(quickNpx, 'npx'), QUICK_NPX, { mode: 0o755 });
  });
  afterAll(async () => {
    await local.end();
    await receiver.close();
    await Promise.all([directory.remove(), home.remove()]);
  });

  /** Runs the blocks one after the other in one shell, as a reader would. Meanwhile the receiver in this process takes evidence. */
  async function runBlocks(blocks: readonly Block[], path: string): Promise<string[]> {
    const script = blocks.map((block) => `${block.script}\necho '${SEPARATOR}'\n`).join('');
    const shell = spawn('bash', ['--norc', '-u', '-c', script], {
      cwd: directory.path,
      env: {
        PATH: path,
        KMS_DATA_DIR: local.dataDir,
        AUDIT_DIRECTORY: receiver.directory,
        HOME: home.path,
        // npm would look for a newer npm, and say so.
        NPM_CONFIG_UPDATE_NOTIFIER: 'false',
      },
      timeout: 170_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    shell.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    shell.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const status = await new Promise((resolve) => void shell.once('close', resolve));
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return stdout.split(`${SEPARATOR}\n`).slice(0, -1);
  }

  describe.each(DOCUMENTS)('%s', (document, statements) => {
    test('prints what it says when its commands are run in order', { timeout: 600_000 }, async () => {
      const before = new Set(readdirSync(directory.path));
      const blocks = blocksOf(readFileSync(new URL(document, root), 'utf8'));
      expect(blocks.filter((block) => block.prints.length > 0).length).toBeGreaterThanOrEqual(statements - 1);
      const outputs = await runBlocks(blocks, options.isNpx(document) ? readersPath() : `${quickNpx}:${readersPath()}`);
      for (const [index, block] of blocks.entries()) {
        if (block.prints.length > 0) expect(outputs[index]?.trim().split('\n'), block.script).toEqual(block.prints);
      }
      const written = readdirSync(directory.path).filter((name) => !before.has(name));
      expect(await notIgnored(written)).toEqual({ git: [], docker: [] });
    });
  });
}
