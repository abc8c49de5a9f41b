import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKmsClient, type KmsClient } from '../src/index.ts';
import { createFileEnvelope, type FileEnvelope } from '../src/node/index.ts';
import { failureOf } from './failure-of.ts';
import { scriptedServer, silence } from './scripted-server.ts';
import { type StartedService, startedService } from './started-service.ts';

const MIB = 2 ** 20;
const home = tempDir('qnsp-files-');
let service: StartedService;
let kms: KmsClient;
let files: FileEnvelope;
let keyId: string;
let directory: string;
let count = 0;

beforeAll(async () => {
  service = await startedService();
  kms = createKmsClient({ baseUrl: service.baseUrl, token: service.token });
  ({ keyId } = await kms.createKey({}));
  files = createFileEnvelope(kms);
});
afterAll(async () => {
  await service.end();
  await home.remove();
});
beforeEach(() => {
  count += 1;
  directory = join(home.path, String(count));
  mkdirSync(directory);
});

const at = (name: string) => join(directory, name);

describe('a file', () => {
  test.each([0, 1, MIB - 56, MIB - 55, MIB, 3 * MIB + 5])(
    'of %i bytes is the same after it was encrypted and decrypted',
    async (length) => {
      const content = randomBytes(length);
      writeFileSync(at('plain'), content);
      const progress: number[] = [];
      await files.encryptFile({
        source: at('plain'),
        destination: at('sealed'),
        keyId,
        context: { file: 'plain' },
        onProgress: (bytes) => progress.push(bytes),
      });
      expect(progress.at(-1)).toBe(length);
      progress.length = 0;
      await files.decryptFile({
        source: at('sealed'),
        destination: at('again'),
        context: { file: 'plain' },
        onProgress: (bytes) => progress.push(bytes),
      });
      expect(progress.at(-1)).toBe(statSync(at('sealed')).size);
      expect(Buffer.compare(readFileSync(at('again')), content)).toBe(0);
      expect(statSync(at('sealed')).mode & 0o777).toBe(0o600);
      expect(statSync(at('again')).mode & 0o777).toBe(0o600);
      expect(readdirSync(directory).sort()).toEqual(['again', 'plain', 'sealed']);
    },
  );

  test('and a stream are one format', async () => {
    const content = randomBytes(2 * MIB);
    writeFileSync(at('plain'), content);
    await files.encryptFile({ source: at('plain'), destination: at('sealed'), keyId });
    expect(Buffer.compare(await files.decrypt(readFileSync(at('sealed'))), content)).toBe(0);
    writeFileSync(at('streamed'), await files.encrypt(content, { keyId }));
    await files.decryptFile({ source: at('streamed'), destination: at('again') });
    expect(Buffer.compare(readFileSync(at('again')), content)).toBe(0);
  });

  test('that was cut off, or changed at its very end, leaves nothing behind', async () => {
    writeFileSync(at('plain'), randomBytes(3 * MIB));
    await files.encryptFile({ source: at('plain'), destination: at('sealed'), keyId });
    const sealed = readFileSync(at('sealed'));
    writeFileSync(at('short'), sealed.subarray(0, sealed.length - 100));
    const changed = Buffer.from(sealed);
    changed[sealed.length - 1] = (changed[sealed.length - 1] ?? 0) ^ 1;
    writeFileSync(at('changed'), changed);
    writeFileSync(at('other'), 'not sealed at all, but long enough to be read as a header of the format');
    writeFileSync(at('empty'), '');
    for (const [name, code] of [
      ['short', 'ENVELOPE_MODIFIED'],
      ['changed', 'ENVELOPE_MODIFIED'],
      ['other', 'ENVELOPE_INVALID'],
      ['empty', 'ENVELOPE_INVALID'],
    ] as const)
      expect(await failureOf(files.decryptFile({ source: at(name), destination: at('again') }))).toMatchObject({
        code,
      });
    expect(readdirSync(directory).sort()).toEqual(['changed', 'empty', 'other', 'plain', 'sealed', 'short']);
  });

  test('that is there already is replaced only when asked, and then at once', async () => {
    writeFileSync(at('plain'), 'new');
    writeFileSync(at('there'), 'old');
    const paths = { source: at('plain'), destination: at('there'), keyId };
    expect(await failureOf(files.encryptFile(paths))).toMatchObject({ code: 'DESTINATION_EXISTS' });
    expect(readFileSync(at('there'), 'utf8')).toBe('old');
    await files.encryptFile({ ...paths, overwrite: true });
    await files.decryptFile({ source: at('there'), destination: at('there'), overwrite: true });
    expect(readFileSync(at('there'), 'utf8')).toBe('new');
  });

  test('that appears while another is written under its name is not replaced', async () => {
    writeFileSync(at('plain'), randomBytes(4 * MIB));
    const work = files.encryptFile({
      source: at('plain'),
      destination: at('sealed'),
      keyId,
      onProgress: () => writeFileSync(at('sealed'), 'somebody else'),
    });
    expect(await failureOf(work)).toMatchObject({ code: 'DESTINATION_EXISTS' });
    expect(readFileSync(at('sealed'), 'utf8')).toBe('somebody else');
    expect(readdirSync(directory).sort()).toEqual(['plain', 'sealed']);
  });

  test('is not there when the work is ended, or the service refuses', async () => {
    writeFileSync(at('plain'), randomBytes(8 * MIB));
    const controller = new AbortController();
    const work = files.encryptFile({
      source: at('plain'),
      destination: at('sealed'),
      keyId,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await expect(work).rejects.toThrow('enough');
    const refused = files.encryptFile({
      source: at('plain'),
      destination: at('sealed'),
      keyId: '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091',
    });
    expect(await failureOf(refused)).toMatchObject({ code: 'NOT_FOUND' });
    expect(readdirSync(directory)).toEqual(['plain']);
  });

  test('is not there when the work is ended while the data key is asked for', async () => {
    const server = await scriptedServer(silence);
    const waiting = createFileEnvelope(createKmsClient({ baseUrl: server.baseUrl, token: 'x' }));
    writeFileSync(at('plain'), 'content');
    await files.encryptFile({ source: at('plain'), destination: at('sealed'), keyId });
    const sealed = readFileSync(at('sealed'));
    const controller = new AbortController();
    const { signal } = controller;
    const works = [
      waiting.encryptFile({ source: at('plain'), destination: at('out'), keyId, signal }),
      waiting.decryptFile({ source: at('sealed'), destination: at('out'), signal }),
      waiting.encrypt(sealed, { keyId, signal }),
      waiting.decrypt(sealed, { signal }),
    ];
    const ended = Promise.allSettled(works);
    try {
      await expect.poll(() => server.seen.length).toBe(4);
      controller.abort(new Error('enough'));
      const reasons = (await ended).map((each) => (each.status === 'rejected' ? String(each.reason) : each.status));
      expect(reasons).toEqual(Array(4).fill('Error: enough'));
      await expect.poll(() => server.seen.every(({ socket }) => socket.destroyed)).toBe(true);
      expect(readdirSync(directory).sort()).toEqual(['plain', 'sealed']);
    } finally {
      await server.end();
    }
  });

  test('is never half when the process is killed', async () => {
    writeFileSync(at('plain'), randomBytes(64 * MIB));
    const script = `
      import { createKmsClient } from '${new URL('../src/index.ts', import.meta.url).href}';
      import { createFileEnvelope } from '${new URL('../src/node/index.ts', import.meta.url).href}';
      const files = createFileEnvelope(createKmsClient({ baseUrl: '${service.baseUrl}', token: process.env.TOKEN }));
      await files.encryptFile({
        source: '${at('plain')}', destination: '${at('sealed')}', keyId: '${keyId}',
        onProgress: (bytes) => { if (bytes > 20 * 2 ** 20) process.kill(process.pid, 'SIGKILL'); },
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { TOKEN: service.token },
      stdio: 'inherit',
    });
    const signal = await new Promise((resolve) => child.once('close', (_, by) => resolve(by)));
    expect(signal).toBe('SIGKILL');
    const left = readdirSync(directory).filter((name) => name !== 'plain');
    expect(left).toEqual([expect.stringMatching(/^\.sealed\.[0-9a-f]{12}\.partial$/)]);
  });
});
