import { readFileSync } from 'node:fs';
import type { TlsSettings } from '@qnsp/http-edge';
import { dialectContract } from '@qnsp/http-edge/testing';
import { makeAuthority, tempDir, trustAuthority } from '@qnsp/test-harness';
import { afterAll } from 'vitest';
import { drawer, drawerDialect, qnsp } from './dialects.ts';

dialectContract('of the contract', qnsp);
dialectContract('of drawers', drawer);
// Both on one port: neither notices the other.
dialectContract('of the contract, beside another', { ...qnsp, dialects: [drawerDialect, qnsp.dialect] });
dialectContract('of drawers, beside another', { ...drawer, dialects: [drawerDialect, qnsp.dialect] });

const directory = tempDir('qnsp-dialects-');
const authority = makeAuthority(directory.path, 'authority');
trustAuthority(authority);
afterAll(() => directory.remove());
const { certificate, key } = authority.issue('kms');
const identity = { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
for (const minVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  const tls: TlsSettings = { identity, minVersion, groups: 'X25519MLKEM768:X25519:P-256' };
  dialectContract(`of the contract, under ${minVersion}`, { ...qnsp, tls });
}
