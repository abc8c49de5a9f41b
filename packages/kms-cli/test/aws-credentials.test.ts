import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms, type LocalKms, startLocalKms } from './local-kms.ts';

let kms: LocalKms;
beforeAll(async () => {
  kms = await startLocalKms();
});
afterAll(() => kms.end());

const aws = ['tokens', 'aws', '--name', 'signer', '--role', 'key_user'];

test('kms tokens aws shows the credentials, and not the token', async () => {
  const { code, out } = await callKms(kms.environment, ['-o', 'json', ...aws]);
  expect(code).toBe(EXIT.done);
  expect(JSON.parse(out)).toEqual({
    tokenId: expect.any(String),
    name: 'signer',
    expiresAt: null,
    awsCredentials: {
      accessKeyId: expect.stringMatching(/^AKQN[A-Z2-7]{26}$/),
      secretAccessKey: expect.stringMatching(/^[\w-]{43}$/),
    },
  });
  expect(out).not.toContain('qnsp_pqc_');
});

test('kms tokens aws writes a file of credentials that only its owner reads, and does not show the secret', async () => {
  const path = join(kms.directory, 'credentials');
  const { code, out } = await callKms(kms.environment, ['-o', 'json', ...aws, '--credentials-file', path]);
  expect(code).toBe(EXIT.done);
  const profile = readFileSync(path, 'utf8');
  const written = /^\[default\]\naws_access_key_id = (\w+)\naws_secret_access_key = ([\w-]{43})\n$/.exec(profile);
  expect(JSON.parse(out)).toMatchObject({ awsCredentials: { accessKeyId: written?.[1] } });
  expect(out).not.toContain(String(written?.[2]));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await callKms(kms.environment, [...aws, '--credentials-file', path])).code).toBe(EXIT.output);
});
