import { copyFileSync, readFileSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TlsIdentity } from '@qnsp/http-edge';
import { makeAuthority, tempDir, type TestCertificate } from '@qnsp/test-harness';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import type { Logger } from '../../src/http/logger.ts';
import { TlsFiles } from '../../src/tls/tls-files.ts';
import { transportCheck } from '../../src/tls/transport-check.ts';

const DAY_MS = 24 * 60 * 60_000;
const directory = tempDir('qnsp-tls-files-');
const authority = makeAuthority(directory.path, 'authority');
afterAll(() => directory.remove());

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

let names = 0;
/** Files that are watched, and what becomes of what is in them. */
function watch(now?: () => Date) {
  names += 1;
  const place = { certificate: join(directory.path, `${names}.pem`), key: join(directory.path, `${names}.key`) };
  const put = (from: TestCertificate, which: 'certificate' | 'key') => copyFileSync(from[which], place[which]);
  const first = authority.issue(`first-${names}`);
  put(first, 'certificate');
  put(first, 'key');
  const lines: string[] = [];
  const note = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
  // Two levels of the log are all that it uses.
  const log = { info: note, error: note } as unknown as Logger;
  const config = {
    certFile: place.certificate,
    keyFile: place.key,
    keyPassphrase: undefined,
    clientCaFile: undefined,
    crlFile: undefined,
    minVersion: 'TLSv1.3',
    approvedOnly: false,
    groups: 'X25519MLKEM768:X25519:P-256',
  } as const;
  const files = new TlsFiles(config, log, now);
  const shown: TlsIdentity[] = [];
  files.watch((identity) => shown.push(identity));
  stops.push(() => files.stop());
  const check = () => transportCheck({ host: '0.0.0.0', port: 1, listenUnix: undefined, tls: config }, files);
  return { files, place, put, first, lines, shown, check };
}
const until = (condition: () => void) => vi.waitFor(condition, { timeout: 20_000 });

test('a pair that is written file by file is shown when it is whole, and the earlier one until then', async () => {
  const { files, put, first, lines, shown, check } = watch();
  const next = authority.issue(`next-${names}`);
  put(next, 'certificate');
  await until(() => expect(files.problem).toMatch(/is not the key of/));
  expect(check()).toMatchObject({ status: 'degraded', message: expect.stringContaining('KMS_TLS_KEY_FILE') });
  await sleep(1500);
  expect(files.settings.identity.certificate).toBe(readFileSync(first.certificate, 'utf8'));
  expect(lines.filter((line) => line.includes('until they fit together'))).toHaveLength(1);
  put(next, 'key');
  await until(() => expect(shown).toHaveLength(1));
  expect(shown[0]).toMatchObject({ key: readFileSync(next.key, 'utf8') });
  expect(files.problem).toBeUndefined();
  expect(check()).toEqual({ status: 'ok' });
});

test('a file that is cut off, empty or gone is waited for, and the same again is no change', async () => {
  const { files, place, put, first, shown } = watch();
  for (const spoil of [
    () => writeFileSync(place.certificate, readFileSync(first.certificate).subarray(0, 200)),
    () => writeFileSync(place.key, ''),
    () => unlinkSync(place.key),
  ]) {
    spoil();
    await until(() => expect(files.problem).toBeDefined());
    put(first, 'certificate');
    put(first, 'key');
    await until(() => expect(files.problem).toBeUndefined());
  }
  expect(shown).toEqual([]);
});

test('what a symbolic link leads to is read again when the link is turned', async () => {
  const { place, first, shown } = watch();
  const next = authority.issue(`turned-${names}`);
  const turn = (to: string, at: string) => {
    symlinkSync(to, `${at}.link`);
    renameSync(`${at}.link`, at);
  };
  turn(next.certificate, place.certificate);
  turn(next.key, place.key);
  await until(() => expect(shown.at(-1)).toMatchObject({ key: readFileSync(next.key, 'utf8') }));
  turn(first.certificate, place.certificate);
  turn(first.key, place.key);
  await until(() => expect(shown.at(-1)).toMatchObject({ key: readFileSync(first.key, 'utf8') }));
});

test('an identity that would end sooner than it may is not taken, and an expired one keeps being shown', async () => {
  const { files, put, shown, check } = watch();
  const expired = authority.issue(`expired-${names}`, { validUntil: new Date(Date.now() - 60_000) });
  put(expired, 'certificate');
  put(expired, 'key');
  await until(() => expect(files.problem).toMatch(/expired at/));
  expect(shown).toEqual([]);
  expect(check().status).toBe('degraded');
});

test('a certificate is degraded from 14 days before it ends', () => {
  let ahead = 0;
  const { files, check } = watch(() => new Date(Date.now() + ahead * DAY_MS));
  const days = files.daysLeft();
  expect(days).toBeGreaterThan(89);
  expect(days).toBeLessThan(91);
  ahead = days - 14.5;
  expect(check()).toEqual({ status: 'ok' });
  ahead = days - 13.5;
  expect(check()).toEqual({ status: 'degraded', message: expect.stringContaining('expires in 13 days') });
  ahead = days + 1;
  expect(check()).toEqual({ status: 'degraded', message: expect.stringContaining('has expired') });
  expect(files.daysLeft()).toBeLessThan(0);
});
