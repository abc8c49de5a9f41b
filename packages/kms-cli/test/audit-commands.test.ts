import { generateKeyPairSync } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  type AuditEvent,
  type Checkpoint,
  checkpointSigner,
  type CheckpointSigner,
  type ChainHead,
  emptyChain,
  exportLines,
  sealBatch,
} from '@qnsp/kms-audit';
import { type TempDir, tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms } from './local-kms.ts';

const TENANT = '0198d2a4-7b1c-7000-8000-000000000001';
const JANUARY = '2026-01-01T00:00:00.000Z';
const MARCH = '2026-03-01T00:00:00.000Z';
const signers = [newSigner(), newSigner()] as const;
let directory: TempDir;
/** The lines of an export of three batches with two events each, by the first signer in January and the second in March. */
let lines: string[];
let checkpoints: Checkpoint[];

beforeAll(async () => {
  directory = tempDir('qnsp-audit-');
  [lines, checkpoints] = [[], []];
  let head: ChainHead = emptyChain(TENANT);
  const seals = [
    [signers[0], JANUARY],
    [signers[0], MARCH],
    [signers[1], MARCH],
  ] as const;
  for (const [signer, at] of seals) {
    const batch = await sealBatch(
      signer,
      head,
      [sampleEvent(1 + head.sequence), sampleEvent(2 + head.sequence)],
      new Date(at),
    );
    lines.push(...exportLines(batch.events, batch.checkpoint).trimEnd().split('\n'));
    checkpoints.push(batch.checkpoint);
    ({ head } = batch);
  }
  for (const [index, signer] of signers.entries()) file(`key-${index}.pem`, signer.publicKeyPem);
  for (const [index, checkpoint] of checkpoints.entries()) file(`checkpoint-${index}.json`, JSON.stringify(checkpoint));
});
afterAll(() => directory.remove());

function newSigner(): CheckpointSigner {
  return checkpointSigner(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
}

function idOf(sequence: number): string {
  return `0198d2a4-7b1c-7000-8000-0000000001${String(sequence).padStart(2, '0')}`;
}

function sampleEvent(sequence: number): AuditEvent {
  return {
    eventId: idOf(sequence),
    eventType: 'kms.encrypt',
    timestamp: JANUARY,
    tenantId: TENANT,
    actor: { type: 'service', id: 'token' },
    resource: { type: 'key', id: idOf(99), version: 1 },
    action: 'encrypt',
    result: 'success',
    context: { requestId: null, userAgent: null, source: 'api', ip: null },
    request: { contextKeys: [] },
  };
}

function file(name: string, text: string): string {
  const path = join(directory.path, name);
  writeFileSync(path, text);
  return path;
}

const KEYS = ['--public-key', 'key-0.pem', '--public-key', 'key-1.pem'];

/** Verifies an export with these lines; options name files of this test. */
function verify(exported: readonly string[], ...options: string[]) {
  const path = file('export.jsonl', exported.map((line) => `${line}\n`).join(''));
  const given = options.map((option) => (/\.(pem|json)$/.test(option) ? join(directory.path, option) : option));
  return callKms({}, ['audit', 'verify', path, ...given]);
}

describe('kms audit verify', () => {
  test('ends with 0 and says how much is verified', async () => {
    const verified = await verify(lines, ...KEYS, '--checkpoint', 'checkpoint-2.json');
    expect(verified).toMatchObject({ code: EXIT.done, err: '' });
    expect(verified.out).toMatch(
      /^verified, 6 events, 0 gaps\ntenant \S+, 3 batches\nsigned by 2 keys, one after another: \S+ from event 1 on, \S+ from event 5 on\nthe end is proven: [^\n]+\n$/,
    );
  });

  test('says so when nothing shows that the end is the end', async () => {
    const verified = await verify(lines.slice(0, 6), ...KEYS);
    expect(verified).toMatchObject({ code: EXIT.done, out: expect.stringContaining('NOT proven') });
  });

  test('says so when the checkpoint that was given apart ends before the export does', async () => {
    const verified = await verify(lines, ...KEYS, '--checkpoint', 'checkpoint-1.json');
    expect(verified).toMatchObject({
      code: EXIT.done,
      out: expect.stringContaining('NOT proven: the given checkpoint covers the events up to 4'),
    });
    expect(verified.out).not.toContain('the end is proven');
  });

  test('refuses the evidence of another tenant than it was asked for', async () => {
    expect((await verify(lines, ...KEYS, '--tenant', TENANT.toUpperCase())).code).toBe(EXIT.done);
    const other = '0198d2a4-7b1c-7000-8000-000000000002';
    expect(await verify(lines, ...KEYS, '--tenant', other)).toMatchObject({
      code: EXIT.data,
      out: expect.stringMatching(/^NOT verified: line 1 \(event 1, .*\): it belongs to another tenant/),
    });
    // Also what holds no event that could tell.
    expect((await verify([], ...KEYS, '--tenant', TENANT)).code).toBe(EXIT.data);
    expect((await verify(lines, ...KEYS, '--tenant', 'mine')).code).toBe(EXIT.usage);
  });

  test('ends with 65 and a sentence for a line of 600 MB, and looks at the lines behind it', {
    timeout: 60_000,
  }, async () => {
    const path = file('long.jsonl', '');
    truncateSync(path, 600 * 1024 * 1024);
    appendFileSync(path, `\n${lines.map((line) => `${line}\n`).join('')}`);
    const keys = KEYS.map((option) => (option.endsWith('.pem') ? join(directory.path, option) : option));
    const ran = await callKms({}, ['audit', 'verify', path, ...keys]);
    expect(ran).toMatchObject({
      code: EXIT.data,
      out: expect.stringMatching(/^NOT verified: line 1: the line has 629145600 bytes/),
    });
    expect(ran.out).toContain('in 2 batches are as signed');
    expect(ran.err).toMatch(/^[^\n]+\n$/);
  });

  test('writes nothing to the terminal that a line of the export chose', async () => {
    const [header = '', , signature = ''] = (checkpoints[0]?.signature ?? '').split('.');
    const named = JSON.parse(Buffer.from(header, 'base64url').toString()) as object;
    const kid = '\u001b[2Jverified';
    const forged = Buffer.from(JSON.stringify({ ...named, kid })).toString('base64url');
    const edited = lines.map((line) => line.replace(`${header}..${signature}`, `${forged}..${signature}`));
    const ran = await verify(edited, ...KEYS);
    expect(ran.code).toBe(EXIT.data);
    // oxlint-disable-next-line no-control-regex
    expect(ran.out).not.toMatch(/[\u0000-\u0009\u000b-\u001f]|Jverified/);
  });

  test('takes every key that is given, and no other', async () => {
    const verified = await verify(lines, '--public-key', 'key-0.pem');
    expect(verified).toMatchObject({
      code: EXIT.data,
      out: expect.stringMatching(/^NOT verified: line 9 \(event 5, /),
    });
    expect(verified.err).toContain('not what was signed');
  });

  test('ends with 65 and names the first bad event', async () => {
    const edited = lines.map((line) => (line.includes(idOf(4)) ? line.replace('"success"', '"failure"') : line));
    expect(await verify(edited, ...KEYS)).toMatchObject({
      code: EXIT.data,
      out: expect.stringMatching(new RegExp(`^NOT verified: line 5 \\(event 4, ${idOf(4)}\\): it was changed`)),
    });
    expect(await verify(lines.toSpliced(4, 1), ...KEYS)).toMatchObject({
      code: EXIT.data,
      out: expect.stringMatching(/^NOT verified: line 5 \(event 3, /),
    });
    expect(await verify(lines.slice(0, 6), ...KEYS, '--checkpoint', 'checkpoint-2.json')).toMatchObject({
      code: EXIT.data,
      out: expect.stringContaining('(event 5, '),
    });
  });

  test('counts events when it is told how many there must be', async () => {
    expect((await verify(lines, ...KEYS, '--expected-events', '6')).code).toBe(EXIT.done);
    expect((await verify(lines, ...KEYS, '--expected-events', '7')).code).toBe(EXIT.data);
    expect((await verify(lines.slice(0, 6), ...KEYS, '--expected-events', '6')).code).toBe(EXIT.data);
  });

  test('goes on after the checkpoint of an earlier export', async () => {
    const rest = lines.slice(3);
    expect((await verify(rest, ...KEYS)).code).toBe(EXIT.data);
    expect(await verify(rest, ...KEYS, '--after', 'checkpoint-0.json')).toMatchObject({
      code: EXIT.done,
      out: expect.stringMatching(/^verified, 4 events, 0 gaps/),
    });
    expect((await verify(rest, ...KEYS, '--after', 'checkpoint-1.json')).code).toBe(EXIT.data);
  });

  test('accepts what retention removed up to a date', async () => {
    const retired = lines.slice(2);
    expect((await verify(retired, ...KEYS)).code).toBe(EXIT.data);
    expect(await verify(retired, ...KEYS, '--retired-before', '2026-02-01')).toMatchObject({
      code: EXIT.done,
      out: expect.stringContaining('2 events were removed by retention'),
    });
    expect((await verify(retired, ...KEYS, '--retired-before', '2025-12-31')).code).toBe(EXIT.data);
    // What was refused is kept while younger batches are removed.
    expect((await verify(lines.toSpliced(3, 2), ...KEYS, '--retired-before', '2026-04-01')).code).toBe(EXIT.done);
  });

  test('ends with 66 for a file that is not what it should be, and with 64 without a key', async () => {
    const broken = file('broken.json', '{}');
    const missing = join(directory.path, 'absent.json');
    for (const [options, message] of [
      [[...KEYS, '--checkpoint', 'broken.json'], `${broken} holds no checkpoint.`],
      [[...KEYS, '--after', 'broken.json'], `${broken} holds no checkpoint.`],
      [
        [...KEYS, '--public-key', 'broken.json'],
        `${broken} cannot be used: it is not a public key in PEM that can be used: there is no public key in PEM.`,
      ],
      [[...KEYS, '--checkpoint', 'absent.json'], `${missing} cannot be read.`],
    ] as const)
      expect(await verify(lines, ...options)).toEqual({ code: EXIT.input, out: '', err: `${message}\n` });
    const absent = await callKms({}, [
      'audit',
      'verify',
      join(directory.path, 'absent.jsonl'),
      '--public-key',
      join(directory.path, 'key-0.pem'),
    ]);
    expect(absent).toMatchObject({ code: EXIT.input, err: expect.stringContaining('absent.jsonl cannot be read') });
    expect((await verify(lines)).code).toBe(EXIT.usage);
    expect((await verify(lines, ...KEYS, '--expected-events', 'many')).code).toBe(EXIT.usage);
    expect((await verify(lines, ...KEYS, '--retired-before', 'soon')).code).toBe(EXIT.usage);
  });
});

describe('kms audit export', () => {
  /** Exports from what answers with the evidence of this test, and does something else before the export is whole. */
  async function exportAs(name: string, meanwhile: () => void = () => undefined) {
    const server = createServer((request, response) => {
      const isExport = request.url?.startsWith('/kms/v1/audit/export') === true;
      if (isExport) meanwhile();
      response.setHeader('content-type', isExport ? 'application/jsonl' : 'application/json');
      const list = JSON.stringify({ items: [checkpoints.at(-1)], nextCursor: null });
      response.end(isExport ? lines.map((line) => `${line}\n`).join('') : list);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A server that listens on TCP has such an address.
    const { port } = server.address() as AddressInfo;
    const [out, checkpoint] = [join(directory.path, name), join(directory.path, `${name}.checkpoint`)];
    const environment = { KMS_URL: `http://127.0.0.1:${port}`, KMS_TOKEN: 'x' };
    try {
      const ran = await callKms(environment, ['audit', 'export', '--out', out, '--checkpoint-out', checkpoint]);
      return { ran, out, checkpoint };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test('writes the export and its checkpoint', async () => {
    const { ran, out, checkpoint } = await exportAs('whole.jsonl');
    expect(ran).toEqual({ code: EXIT.done, out: 'exported 6 events\n', err: '' });
    expect(readFileSync(out, 'utf8').trimEnd().split('\n')).toEqual(lines);
    expect(JSON.parse(readFileSync(checkpoint, 'utf8'))).toEqual(checkpoints.at(-1));
  });

  test('writes no checkpoint and says nothing of an export that is not there in the end', async () => {
    const { ran, out, checkpoint } = await exportAs('taken.jsonl', () => file('taken.jsonl', 'somebody else'));
    expect(ran).toMatchObject({
      code: EXIT.output,
      out: '',
      err: expect.stringContaining('taken.jsonl already exists'),
    });
    expect(readFileSync(out, 'utf8')).toBe('somebody else');
    expect(existsSync(checkpoint)).toBe(false);
  });
});
