import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Algorithm } from '@qnsp/kms-core';
import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import type { ResidentKeyName } from '@qnsp/kms-core/ports';
import type { SoftHsmToken } from '@qnsp/test-harness';
import { describe, expect, it } from 'vitest';
import type { Hsm } from '../src/index.ts';
import { raw } from './raw-session.ts';
import { environmentOf, makeToken, open } from './tokens.ts';

/** CKR_ACTION_PROHIBITED, which has no name in pkcs11js. */
const PROHIBITED = 'CKR_VENDOR_DEFINED:27';
const SAFE = 'sensitive, always sensitive, never extractable, local';

function algorithmOf(id: string): Algorithm {
  const algorithm = ALGORITHMS.find((candidate) => candidate.id === id);
  if (algorithm === undefined) throw new Error(`no algorithm ${id}`);
  return algorithm;
}

/** Makes a resident key. Answers its label. */
async function make(hsm: Hsm, id: string): Promise<{ readonly label: string; readonly handle: Uint8Array }> {
  const name: ResidentKeyName = { tenantId: randomUUID(), keyId: randomUUID(), version: 1 };
  const { handle } = await hsm.resident.generate(algorithmOf(id), name);
  return { label: `qnsp-kms/v1/${name.tenantId}/${name.keyId}/1`, handle };
}

/** What another tool shows of the secret or private key with this label. */
function shown(token: SoftHsmToken, label: string): { readonly usage: string; readonly access: string } {
  const type = (kind: string): string =>
    execFileSync(
      'pkcs11-tool',
      ['--module', token.modulePath, '--login', '--pin', token.pin, '--list-objects', '--type', kind],
      { env: environmentOf(token), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
  const objects = `${type('secrkey')}${type('privkey')}`.split(/(?=^\S)/m).filter((each) => each.includes(label));
  expect(objects).toHaveLength(1);
  const line = (name: string): string => new RegExp(`^\\s+${name}:\\s+(.*)$`, 'm').exec(objects[0] ?? '')?.[1] ?? '';
  return { usage: line('Usage').trim(), access: line('Access').trim() };
}

describe('a key that lives in an HSM', { timeout: 600_000 }, () => {
  it('is never extractable, as pkcs11-tool sees it, and does nothing but what its algorithm is for', async () => {
    const token = await makeToken();
    const hsm = await open(token);
    for (const [id, usage] of [
      ['aes-256-gcm', 'encrypt, decrypt'],
      // This tool names sign for private keys only.
      ['hmac-sha256', 'verify'],
      ['ecdsa-p256', 'sign'],
      ['ecdsa-p384', 'sign'],
      ['ed25519', 'sign'],
      ['rsa-2048', 'decrypt, sign'],
    ] as const)
      expect([id, shown(token, (await make(hsm, id)).label)]).toEqual([id, { usage, access: SAFE }]);
  });

  it.each(['aes-256-gcm', 'hmac-sha256', 'ecdsa-p256'])(
    'of %s cannot be copied, changed or wrapped out by somebody who knows the PIN',
    async (id) => {
      const token = await makeToken();
      const { label } = await make(await open(token), id);
      expect(raw(token, { act: 'copy', label })).toBe(PROHIBITED);
      for (const [attribute, value] of [
        ['CKA_EXTRACTABLE', true],
        ['CKA_SENSITIVE', false],
        ['CKA_WRAP', true],
        ['CKA_DERIVE', true],
      ] as const)
        expect([attribute, raw(token, { act: 'set', label, attribute, value })]).toEqual([attribute, PROHIBITED]);
      expect(raw(token, { act: 'wrap-out', label })).toBe('CKR_KEY_UNEXTRACTABLE');
    },
  );

  it('is refused when another one with weaker attributes has taken its place', async () => {
    const token = await makeToken();
    const { label, handle } = await make(await open(token), 'aes-256-gcm');
    const use = async (): Promise<unknown> => {
      const engine = (await open(token)).resident.engine(algorithmOf('aes-256-gcm'), handle, null);
      return engine.seal?.(Buffer.alloc(22), Buffer.alloc(4), Buffer.from('data'));
    };
    await expect(use()).resolves.toBeDefined();
    for (const attribute of ['CKA_EXTRACTABLE', 'CKA_WRAP']) {
      expect(raw(token, { act: 'destroy', label })).toBe('done');
      const id = Buffer.from(handle).toString('hex');
      expect(raw(token, { act: 'make', label, id, attributes: { [attribute]: true } })).toBe('done');
      await expect(use()).rejects.toMatchObject({ code: 'INTERNAL_ERROR', cause: { fault: { attribute } } });
    }
  });
});
