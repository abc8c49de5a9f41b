import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Fleet } from './fleet.ts';
import { type Sample, startLoad, type Use } from './load.ts';

/** What promise the fleet makes: after this time a change counts everywhere. */
export const BOUND_MS = 1000;
/** How long a round looks on after the change, unless it says otherwise. */
const AFTER_MS = 1400;
const DATA = Buffer.from('data').toString('base64');

/** A way to end the use of a key as it is, and the status of its use from then on. */
export interface Ending {
  readonly name: string;
  readonly statusAfter: number;
  prepare(fleet: Fleet): Promise<Use & { end(): Promise<number> }>;
}

/** Something that goes wrong around a change. */
export interface Trouble {
  readonly name: string;
  /** Begins it before the change, once every node has the key in memory. */
  begin(fleet: Fleet, use: Use): Promise<void>;
  /** Right after the change was acknowledged. */
  afterChange?(fleet: Fleet): Promise<void>;
  /** Makes everything well again. */
  end(fleet: Fleet): Promise<void>;
  /** A node that is halted for a while: it cannot take back what it had decided before. */
  readonly halted?: number;
}

export interface RoundResult {
  readonly ending: string;
  readonly trouble: string;
  /** By node: how long after the acknowledged change the last success came, in milliseconds; 0 when none did. */
  readonly lastSuccessMs: readonly number[];
  readonly samples: number;
}

const KEY_CHANGES: readonly [name: string, method: string, path: string, body: object, statusAfter: number][] = [
  ['revoke', 'POST', '/revoke', { reason: 'suspected_compromise' }, 409],
  ['suspend', 'POST', '/suspend', {}, 409],
  ['destroy', 'POST', '/destroy', {}, 409],
  [
    'deny by policy',
    'PUT',
    '/policy',
    { version: '1', statements: [{ effect: 'deny', actions: ['kms:encrypt'], resources: ['*'] }] },
    403,
  ],
];

export const ENDINGS: readonly Ending[] = [
  {
    name: 'rotate',
    // The key goes on in its new version; what the old one encrypts is what may not be.
    statusAfter: 200,
    prepare: async (fleet) => {
      const key = await fleet.createKey();
      return {
        path: `${key}/encrypt`,
        body: { plaintext: DATA },
        token: fleet.token,
        isOld: ({ keyVersion }) => keyVersion === 1,
        end: async () => (await fleet.call(0, 'POST', `${key}/rotate`, {})).status,
      };
    },
  },
  ...KEY_CHANGES.map(
    ([name, method, path, body, statusAfter]): Ending => ({
      name,
      statusAfter,
      prepare: async (fleet) => {
        const key = await fleet.createKey();
        return {
          path: `${key}/encrypt`,
          body: { plaintext: DATA },
          token: fleet.token,
          end: async () => (await fleet.call(0, method, `${key}${path}`, body)).status,
        };
      },
    }),
  ),
  {
    name: 'revoke the token',
    statusAfter: 401,
    prepare: async (fleet) => {
      const key = await fleet.createKey();
      const made = await fleet.call(0, 'POST', '/kms/v1/tokens', { name: 'short', role: 'key_user' });
      return {
        path: `${key}/encrypt`,
        body: { plaintext: DATA },
        token: String(made.body['token']),
        end: async () => (await fleet.call(0, 'POST', `/kms/v1/tokens/${String(made.body['tokenId'])}/revoke`)).status,
      };
    },
  },
];

const IDENTITIES = '/kms/v1/identity-bindings';

/** Ways to end that a workload calls with a token of its issuer. */
export const IDENTITY_ENDINGS: readonly Ending[] = [
  endingOfIdentity('delete the binding', (fleet, _sub, bindingId) =>
    fleet.call(0, 'DELETE', `${IDENTITIES}/${bindingId}`),
  ),
  endingOfIdentity('deny the subject', (fleet, sub) =>
    fleet.call(0, 'POST', `${IDENTITIES}/deny`, { issuer: fleet.issuer.issuer, sub }),
  ),
];

function endingOfIdentity(
  name: string,
  end: (fleet: Fleet, sub: string, bindingId: string) => Promise<{ readonly status: number }>,
): Ending {
  return {
    name,
    statusAfter: 401,
    prepare: async (fleet) => {
      const key = await fleet.createKey();
      const sub = `workload ${name} ${key}`;
      const binding = { issuer: fleet.issuer.issuer, match: { sub }, role: 'key_user' };
      const { bindingId } = (await fleet.call(0, 'POST', IDENTITIES, binding)).body;
      return {
        path: `${key}/encrypt`,
        body: { plaintext: DATA },
        token: fleet.issuer.token(sub),
        end: async () => (await end(fleet, sub, String(bindingId))).status,
      };
    },
  };
}

/** Uses a key on all nodes, ends that on the first one, and measures when the last use succeeded on each. */
export async function runRound(
  fleet: Fleet,
  ending: Ending,
  trouble: Trouble,
  lookOnMs: number = AFTER_MS,
): Promise<RoundResult> {
  const use = await ending.prepare(fleet);
  const load = startLoad(fleet, use);
  const { samples } = load;
  try {
    await expect
      .poll(() => fleet.nodes.every((_, node) => successes(samples, node) >= 20), { timeout: 60_000 })
      .toBe(true);
    await trouble.begin(fleet, use);
    const begunAt = performance.now();
    expect([200, 201, 204]).toContain(await use.end());
    const changedAt = performance.now();
    await trouble.afterChange?.(fleet);
    await sleep(lookOnMs);
    await trouble.end(fleet);
    await expect
      .poll(() => fleet.nodes.every((_, node) => saysSo(samples, node, ending.statusAfter)), { timeout: 60_000 })
      .toBe(true);
    await load.stop();
    // What a node had decided before it was halted may come out when it goes on; nothing that was asked for since may.
    const relevant = samples.filter(({ node, sentAt }) => node !== trouble.halted || sentAt > begunAt);
    return {
      ending: ending.name,
      trouble: trouble.name,
      lastSuccessMs: fleet.nodes.map((_, node) => lastSuccess(relevant, node) - changedAt).map((ms) => Math.max(0, ms)),
      samples: samples.length,
    };
  } finally {
    await trouble.end(fleet);
    await load.stop();
  }
}

function successes(samples: readonly Sample[], node: number): number {
  return samples.filter((sample) => sample.node === node && sample.asBefore).length;
}

function lastSuccess(samples: readonly Sample[], node: number): number {
  return Math.max(...samples.filter((each) => each.node === node && each.asBefore).map((each) => each.answeredAt));
}

/** Whether the node is back and says what it should. */
function saysSo(samples: readonly Sample[], node: number, statusAfter: number): boolean {
  const last = samples.findLast((sample) => sample.node === node);
  return last?.status === statusAfter && !last.asBefore;
}
