import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { mountSmallDisk } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms, type LocalKms, startLocalKms } from './local-kms.ts';

interface Made {
  readonly tokenId: string;
  readonly token?: string;
  readonly replaces: string | null;
  readonly overlapEndsAt: string | null;
}

let kms: LocalKms;
beforeAll(async () => {
  kms = await startLocalKms();
});
afterAll(() => kms.end());

const file = (name: string) => join(kms.directory, name);

async function json(environment: Readonly<Record<string, string>>, ...args: string[]): Promise<Made> {
  const { code, out, err } = await callKms(environment, ['-o', 'json', ...args]);
  expect([code, code === EXIT.done ? '' : err]).toEqual([EXIT.done, '']);
  return JSON.parse(out) as Made;
}

/** A directory that nothing more can be written to once it is closed. Permissions do not keep root from writing, a full disk does. */
function unwritable() {
  if (process.getuid?.() === 0) {
    const disk = mountSmallDisk(1);
    return { path: disk.path, close: () => disk.fill(), remove: () => disk.unmount() };
  }
  const path = file('locked');
  mkdirSync(path);
  return { path, close: () => chmodSync(path, 0o500), remove: async () => chmodSync(path, 0o700) };
}

/** A token in a file, and what makes the command line use it. */
async function tokenIn(path: string) {
  const made = await json(
    kms.environment,
    'tokens',
    'create',
    '--name',
    'job',
    '--role',
    'key_user',
    '--token-file',
    path,
  );
  return { made, environment: { ...kms.environment, KMS_TOKEN_FILE: path } };
}

describe('kms tokens rotate', () => {
  test('puts the new token into the file that the old one is in, and shows it nowhere', async () => {
    const path = file('job.token');
    const { made, environment } = await tokenIn(path);
    const before = readFileSync(path, 'utf8');
    const next = await json(environment, 'tokens', 'rotate', '--overlap', '60');
    expect(next).toMatchObject({ replaces: made.tokenId });
    expect(next.token).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toMatch(/^qnsp_pqc_[\w-]{43}\n$/);
    expect(readFileSync(path, 'utf8')).not.toBe(before);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await json(environment, 'tokens', 'get')).toMatchObject({ tokenId: next.tokenId });
    // The old one is taken for a minute yet.
    const old = { KMS_TOKEN: before.trim(), KMS_DATA_DIR: kms.environment['KMS_DATA_DIR'] ?? '' };
    expect((await json(old, 'tokens', 'get')).overlapEndsAt).not.toBeNull();
  });

  test('puts it behind a link, and keeps the rest of a client.json', async () => {
    mkdirSync(file('own'));
    const [linked, real] = [file('link.token'), file('own/real.token')];
    const { environment } = await tokenIn(real);
    symlinkSync(real, linked);
    const before = readFileSync(real, 'utf8');
    await json({ ...environment, KMS_TOKEN_FILE: linked }, 'tokens', 'rotate');
    expect(readFileSync(real, 'utf8')).not.toBe(before);
    expect(readFileSync(linked, 'utf8')).toBe(readFileSync(real, 'utf8'));

    const client = join(kms.environment['KMS_DATA_DIR'] ?? '', 'client.json');
    const read = () => JSON.parse(readFileSync(client, 'utf8')) as Record<string, unknown>;
    const { apiToken, aws, ...rest } = read();
    await json(kms.environment, 'tokens', 'rotate');
    const { apiToken: now, aws: key, ...kept } = read();
    expect(kept).toEqual(rest);
    expect(now).not.toBe(apiToken);
    // The access key of the old token ends with it.
    const { accessKeyId, secretAccessKey, region } = key as Record<string, unknown>;
    expect(aws).toMatchObject({ accessKeyId: expect.not.stringContaining(String(accessKeyId)), region });
    expect(aws).not.toMatchObject({ secretAccessKey });
    expect(await json(kms.environment, 'tokens', 'get')).toMatchObject({ replaces: expect.any(String) });
  });

  test('shows it, or writes it to a new file, where it is of another token or in no file', async () => {
    const { made } = await tokenIn(file('other.token'));
    const before = readFileSync(file('other.token'), 'utf8');
    const shown = await json(kms.environment, 'tokens', 'rotate', made.tokenId);
    expect(shown.token).toMatch(/^qnsp_pqc_/);
    expect(readFileSync(file('other.token'), 'utf8')).toBe(before);
    const own = { KMS_TOKEN: String(shown.token), KMS_DATA_DIR: kms.environment['KMS_DATA_DIR'] ?? '' };
    const written = await json(own, 'tokens', 'rotate', '--token-file', file('new.token'));
    expect(written.token).toBeUndefined();
    expect(
      await json({ ...own, KMS_TOKEN: readFileSync(file('new.token'), 'utf8').trim() }, 'tokens', 'get'),
    ).toMatchObject({
      tokenId: written.tokenId,
    });
  });

  test('rotates nothing when the file cannot be replaced', async () => {
    const place = unwritable();
    try {
      const { made, environment } = await tokenIn(join(place.path, 'job.token'));
      place.close();
      const refused = await callKms(environment, ['tokens', 'rotate']);
      expect(refused).toMatchObject({ code: EXIT.output, err: expect.stringContaining('nothing was done') });
      expect(await json(environment, 'tokens', 'get')).toMatchObject({ tokenId: made.tokenId, overlapEndsAt: null });
    } finally {
      await place.remove();
    }
  });

  test('leaves nothing beside the file', async () => {
    mkdirSync(file('tidy'));
    const { environment } = await tokenIn(file('tidy/job.token'));
    await json(environment, 'tokens', 'rotate');
    expect(readdirSync(file('tidy'))).toEqual(['job.token']);
  });
});

test('kms tokens revoke says that a token which was rotated has a successor', async () => {
  const old = await json(kms.environment, 'tokens', 'create', '--name', 'old', '--role', 'auditor');
  const own = { KMS_TOKEN: String(old.token), KMS_DATA_DIR: kms.environment['KMS_DATA_DIR'] ?? '' };
  const successor = await json(own, 'tokens', 'rotate', '--token-file', file('successor.token'));
  const { code, err } = await callKms(kms.environment, ['tokens', 'revoke', old.tokenId]);
  expect([code, err]).toEqual([EXIT.done, expect.stringMatching(/^Note: .* replaced it.*cascade\.\n$/)]);
  const { err: said } = await callKms(kms.environment, ['tokens', 'revoke', successor.tokenId]);
  expect(said).toBe('');
});

test('kms tokens revoke --cascade ends what a token created', async () => {
  const admin = await json(kms.environment, 'tokens', 'create', '--name', 'admin', '--role', 'tenant_admin');
  const own = { KMS_TOKEN: String(admin.token), KMS_DATA_DIR: kms.environment['KMS_DATA_DIR'] ?? '' };
  const limits = ['--purpose', 'letters', '--address', '127.0.0.0/8', '--address', '::1', '--rate', '50'];
  const child = await json(own, 'tokens', 'create', '--name', 'child', '--role', 'auditor', ...limits);
  expect(await json(kms.environment, 'tokens', 'get', child.tokenId)).toMatchObject({
    parentTokenId: admin.tokenId,
    purpose: 'letters',
    addresses: ['127.0.0.0/8', '::1'],
    rate: 50,
  });
  expect(await json(kms.environment, 'tokens', 'revoke', admin.tokenId, '--cascade')).toMatchObject({
    revokedTokens: 2,
  });
  for (const token of [admin.token, child.token])
    expect(await callKms({ ...own, KMS_TOKEN: String(token) }, ['tokens', 'get'])).toMatchObject({ code: EXIT.denied });
});
