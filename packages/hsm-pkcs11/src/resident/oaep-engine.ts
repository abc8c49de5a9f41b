import type { KeyObject } from 'node:crypto';
import { KmsError } from '@qnsp/kms-core';
import type { KeyEngine } from '@qnsp/kms-core/engines';
import { oaepMessageEngine } from '@qnsp/kms-core/internal';
import { badRequest } from '@qnsp/kms-core/ports';
import { ChildFault } from '../connection/child-connection.ts';
import { CKM } from '../protocol/cryptoki.ts';
import { type Quirks, quirksOf } from '../protocol/quirks.ts';
import type { HsmPrivateKey } from './private-key.ts';
import { MGF1_SHA256 } from './signing.ts';

/**
 * Suite 5 with the private key in an HSM. Nothing is sealed before the HSM has opened something, so that no data is
 * lost to a token that cannot decrypt it.
 */
export function hsmOaepEngine(
  { hsmId, link, ref, oaep }: HsmPrivateKey,
  publicKey: KeyObject,
): Required<Pick<KeyEngine, 'seal' | 'open'>> {
  const engine = oaepMessageEngine(publicKey, async (encrypted) => {
    try {
      return await link.call({
        op: 'decrypt',
        ref,
        mechanism: CKM.rsaPkcsOaep,
        parameters: { kind: 'oaep', hash: CKM.sha256, mgf: MGF1_SHA256 },
        ciphertext: encrypted,
        maxBytes: encrypted.length,
      });
    } catch (error) {
      if (!lacksSha256(error, quirksOf(link.status().token))) throw error;
      throw badRequest('key', `the HSM ${hsmId} has no RSA-OAEP with SHA-256; its RSA keys only sign`);
    }
  });
  return {
    open: engine.open,
    seal: async (header, context, plaintext) => {
      const sealed = await engine.seal(header, context, plaintext);
      await oaep.ensure(async () => {
        await engine.open(sealed, context);
      });
      return sealed;
    },
  };
}

function lacksSha256(error: unknown, { lacksOaepHash }: Quirks): boolean {
  const fault = KmsError.is(error) && error.cause instanceof ChildFault ? error.cause.fault : null;
  return fault?.type === 'ckr' && lacksOaepHash.includes(fault.code);
}
