import { readFileSync } from 'node:fs';
import type { TlsSettings } from '@qnsp/http-edge';
import { dialectContract, type DialectUnderTest } from '@qnsp/http-edge/testing';
import { declareContract } from '@qnsp/kms-core/testing';
import { makeAuthority, tempDir, trustAuthority } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { drawer, drawerDialect, qnsp } from './dialects.ts';

const holds = (name: string, subject: DialectUnderTest) =>
  declareContract(dialectContract(name, subject), { describe, it, beforeAll, afterAll });

holds('the dialect of the contract', qnsp);
holds('the dialect of drawers', drawer);
// Both on one port: neither notices the other.
holds('the dialect of the contract, beside another', { ...qnsp, dialects: [drawerDialect, qnsp.dialect] });
holds('the dialect of drawers, beside another', { ...drawer, dialects: [drawerDialect, qnsp.dialect] });
holds('the dialect of the contract, read from the socket', { ...qnsp, socketFastPath: true });
holds('the dialect of the contract, read from the socket beside another', {
  ...qnsp,
  socketFastPath: true,
  dialects: [drawerDialect, qnsp.dialect],
});

const directory = tempDir('qnsp-dialects-');
const authority = makeAuthority(directory.path, 'authority');
trustAuthority(authority);
afterAll(() => directory.remove());
const { certificate, key } = authority.issue('kms');
const identity = { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
for (const minVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  const tls: TlsSettings = { identity, minVersion, groups: 'X25519MLKEM768:X25519:P-256' };
  holds(`the dialect of the contract, under ${minVersion}`, { ...qnsp, tls });
  holds(`the dialect of the contract, read from the socket under ${minVersion}`, {
    ...qnsp,
    tls,
    socketFastPath: true,
  });
}
