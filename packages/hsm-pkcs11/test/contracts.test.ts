import { initSoftHsmToken } from '@qnsp/test-harness';
import { declareContract, residentKeysContract, rootProviderContract } from '@qnsp/kms-core/testing';
import * as vitest from 'vitest';
import { type HsmConfig, openHsm, RefusedPins } from '../src/index.ts';
import { environmentOf, PIN } from './tokens.ts';

/** Two tokens and a second connection to the first. */
async function openTwice() {
  const token = await initSoftHsmToken({ label: 'contract', pin: PIN, soPin: '12345678' });
  const other = await initSoftHsmToken({ label: 'other', pin: PIN, soPin: '12345678' });
  const config = (changes: Partial<HsmConfig> = {}): HsmConfig => ({
    modulePath: token.modulePath,
    slot: 0,
    pin: PIN,
    ...changes,
  });
  const refusedPins = new RefusedPins();
  const hsm = await openHsm(config(), { environment: environmentOf(token), refusedPins });
  await hsm.createRoot();
  const again = await openHsm(config({ poolSize: 1 }), { environment: environmentOf(token), refusedPins });
  const elsewhere = await openHsm(config({ id: 'other' }), { environment: environmentOf(other), refusedPins });
  await elsewhere.createRoot();
  const close = async (): Promise<void> => {
    await Promise.all([hsm, again, elsewhere].map((each) => each.close()));
    await Promise.all([token, other].map((each) => each.remove()));
  };
  return { hsm, again, elsewhere, close };
}

declareContract(
  rootProviderContract('root in SoftHSM', async () => {
    const { hsm, again, elsewhere, close } = await openTwice();
    return { root: hsm.root, sameRoot: again.root, otherRoot: elsewhere.root, close };
  }),
  vitest,
);

const ALGORITHMS = [
  'aes-256-gcm',
  'aes-128-gcm',
  'hmac-sha256',
  'hmac-sha384',
  'hmac-sha512',
  'ed25519',
  'ecdsa-p256',
  'ecdsa-p384',
  'rsa-2048',
  'rsa-3072',
  'rsa-4096',
];

declareContract(
  residentKeysContract('resident keys in SoftHSM', ALGORITHMS, async () => {
    const { hsm, again, close } = await openTwice();
    return { provider: hsm.resident, reopened: again.resident, close };
  }),
  vitest,
);
