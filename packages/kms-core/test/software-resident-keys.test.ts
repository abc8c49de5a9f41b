import * as vitest from 'vitest';
import { declareContract, residentKeysContract, softwareResidentKeys } from '../src/testing/index.ts';

const ALGORITHMS = [
  'aes-256-gcm',
  'hmac-sha256',
  'hmac-sha384',
  'hmac-sha512',
  'ed25519',
  'ecdsa-p256',
  'ecdsa-p384',
  'rsa-2048',
];

declareContract(
  residentKeysContract('software resident keys', ALGORITHMS, async () => {
    const provider = softwareResidentKeys('hsm-a');
    // It is its memory: there is nothing else that could be opened.
    return { provider, reopened: provider, close: async () => {} };
  }),
  vitest,
);
