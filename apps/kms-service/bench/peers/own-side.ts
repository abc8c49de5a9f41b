import { postOf } from '../load/target.ts';
import type { BenchService } from '../load/start-sides.ts';
import { inTurns, many } from './in-turns.ts';
import { BATCH_ITEMS, type PeerSide, ROTATED_KEYS } from './peer.ts';

/** This service, by its own interface. */
export async function ownSide(service: BenchService, data: string): Promise<PeerSide> {
  const { token } = service;
  const createKey = (body = {}) => service.createKey(body);
  const call = (path: string, body: object) => service.call('POST', path, body);
  const post = (path: string, body: object = {}) => postOf(`/kms/v1/${path}`, body, token);
  const [aes, ed25519, p256] = [
    await createKey(),
    await createKey({ algorithm: 'ed25519' }),
    await createKey({ algorithm: 'ecdsa-p256' }),
  ];
  const { ciphertext } = await call(`keys/${aes}/encrypt`, { plaintext: data });
  const { signature } = await call(`keys/${p256}/sign`, { data });
  const items = Array.from({ length: BATCH_ITEMS }, () => ({ plaintext: data }));
  const rotated = await many(ROTATED_KEYS, () => createKey());
  return {
    name: 'QNSP KMS',
    host: '127.0.0.1',
    port: service.port,
    requests: {
      encrypt: inTurns([post(`keys/${aes}/encrypt`, { plaintext: data })]),
      decrypt: inTurns([post(`keys/${aes}/decrypt`, { ciphertext })]),
      'encrypt a batch of 100': inTurns([post(`keys/${aes}/encrypt`, { items })]),
      'sign, ed25519': inTurns([post(`keys/${ed25519}/sign`, { data })]),
      'sign, ecdsa-p256': inTurns([post(`keys/${p256}/sign`, { data })]),
      'verify, ecdsa-p256': inTurns([post(`keys/${p256}/verify`, { data, signature })]),
      'make a data key': inTurns([post(`keys/${aes}/data-key`)]),
      'rotate a young key': inTurns(rotated.map((keyId) => post(`keys/${keyId}/rotate`))),
      'create an AES key': inTurns([post('keys')]),
    },
  };
}
