import { randomBytes } from 'node:crypto';
import { postOf } from '../load/target.ts';
import { inTurns, many } from './in-turns.ts';
import { BATCH_ITEMS, type Peer, type PeerSide, ROTATED_KEYS } from './peer.ts';

/** An OpenBao or Vault, by a Transit engine that is mounted for it under a name of its own. */
export async function transitSide({ address, token }: Peer, data: string): Promise<PeerSide> {
  const mount = `qnsp-bench-${randomBytes(4).toString('hex')}`;
  const call = async (method: string, path: string, body?: object): Promise<Answer> => {
    const response = await fetch(new URL(`/v1/${path}`, address), {
      method,
      headers: { 'x-vault-token': token, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Answer);
  };
  const post = (path: string, body: object = {}) => postOf(`/v1/${mount}/${path}`, body, token);
  const createKey = async (name: string, type: string) => call('POST', `${mount}/keys/${name}`, { type });

  const { version } = await call('GET', 'sys/health');
  await call('POST', `sys/mounts/${mount}`, { type: 'transit' });
  await createKey('aes', 'aes256-gcm96');
  await createKey('ed25519', 'ed25519');
  await createKey('p256', 'ecdsa-p256');
  const ciphertext = (await call('POST', `${mount}/encrypt/aes`, { plaintext: data })).data?.['ciphertext'];
  const signature = (await call('POST', `${mount}/sign/p256`, { input: data })).data?.['signature'];
  const rotated = await many(ROTATED_KEYS, async (index) => {
    await createKey(`rotated-${index}`, 'aes256-gcm96');
    return post(`keys/rotated-${index}/rotate`);
  });
  const batch = Array.from({ length: BATCH_ITEMS }, () => ({ plaintext: data }));
  let created = 0;
  return {
    name: `Transit ${version ?? 'of an unknown version'}`,
    host: address.hostname,
    port: Number(address.port),
    requests: {
      encrypt: inTurns([post('encrypt/aes', { plaintext: data })]),
      decrypt: inTurns([post('decrypt/aes', { ciphertext })]),
      'encrypt a batch of 100': inTurns([post('encrypt/aes', { batch_input: batch })]),
      'sign, ed25519': inTurns([post('sign/ed25519', { input: data })]),
      'sign, ecdsa-p256': inTurns([post('sign/p256', { input: data })]),
      'verify, ecdsa-p256': inTurns([post('verify/p256', { input: data, signature })]),
      'make a data key': inTurns([post('datakey/plaintext/aes')]),
      'rotate a young key': inTurns(rotated),
      'create an AES key': () => {
        created += 1;
        return post(`keys/created-${created}`, { type: 'aes256-gcm96' });
      },
    },
    unmount: async () => {
      await call('DELETE', `sys/mounts/${mount}`);
    },
  };
}

interface Answer {
  readonly version?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}
