import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createKey,
  decrypt,
  destroyKey,
  encrypt,
  getKey,
  type KeyDescription,
  KmsError,
  type Kms,
  restoreKey,
  resumeKey,
  revokeKey,
  rotateKey,
  type Operation,
  operationOfService,
  runDueWork,
  shredKey,
  suspendKey,
} from '../src/exports/internal.ts';
import { type Fixture, makeFixture, promised } from './kms-fixture.ts';

const DAY = 86_400_000;

interface ModelCiphertext {
  readonly bytes: Uint8Array;
  readonly plaintext: string;
  readonly version: number;
}

/** What the rules say about one key, written down independently of the transition table of the product. */
interface ModelKey {
  readonly keyId: string;
  state: 'active' | 'suspended' | 'deactivated' | 'revoked' | 'destroyed';
  before: 'active' | 'suspended';
  destroyAt: number | null;
  versions: number;
  revision: number;
  /** Whether it was ever revoked. */
  revoked: boolean;
  /** How many versions stay usable, the active one included. */
  readonly retain: number | null;
  readonly ciphertexts: ModelCiphertext[];
}

interface Model {
  readonly keys: ModelKey[];
  now: number;
  readonly replays: Map<string, KeyDescription>;
}

interface Real {
  readonly fixture: Fixture;
  /** Two nodes on one store. */
  readonly nodes: Kms[];
}

async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error) {
    if (KmsError.is(error)) return error.code;
    throw error;
  }
}

type Act = 'rotate' | 'suspend' | 'resume' | 'revoke' | 'destroy' | 'restore' | 'shred';

/** What the rules say of the act, and what it makes of the model: what is done already changes nothing. */
function applyToModel(key: ModelKey, act: Act, now: number): 'changed' | 'done' | 'refused' {
  const verdict = judge(key, act);
  if (verdict !== 'changed') return verdict;
  key.revision += 1;
  switch (act) {
    case 'rotate':
      key.versions += 1;
      break;
    case 'suspend':
      key.state = 'suspended';
      break;
    case 'resume':
      key.state = 'active';
      break;
    case 'revoke':
      key.state = 'revoked';
      key.revoked = true;
      break;
    case 'destroy':
      key.destroyAt = now + DAY;
      if (key.state === 'active' || key.state === 'suspended') {
        key.before = key.state;
        key.state = 'deactivated';
      }
      break;
    case 'restore':
      key.destroyAt = null;
      if (key.state === 'deactivated') key.state = key.before;
      break;
    case 'shred':
      key.state = 'destroyed';
      key.destroyAt = null;
  }
  return verdict;
}

function judge({ state, revoked, destroyAt }: ModelKey, act: Act): 'changed' | 'done' | 'refused' {
  const changedIf = (allowed: boolean) => (allowed ? 'changed' : 'refused');
  switch (act) {
    case 'rotate':
      return changedIf(state === 'active');
    case 'suspend':
      return state === 'suspended' ? 'done' : changedIf(state === 'active');
    case 'resume':
      return state === 'active' ? 'done' : changedIf(state === 'suspended');
    case 'revoke':
      return revoked ? 'done' : changedIf(state !== 'destroyed');
    case 'destroy':
      return destroyAt !== null || state === 'destroyed' ? 'done' : 'changed';
    case 'restore':
      return state === 'destroyed' ? 'refused' : destroyAt === null ? 'done' : 'changed';
    case 'shred':
      return state === 'destroyed' ? 'done' : 'changed';
  }
}

function callAct(kms: Kms, fixture: Fixture, keyId: string, act: Act): Promise<KeyDescription> {
  const { admin } = fixture;
  switch (act) {
    case 'rotate':
      return rotateKey({ kms, caller: admin }, { keyId });
    case 'suspend':
      return suspendKey({ kms, caller: admin }, { keyId });
    case 'resume':
      return resumeKey({ kms, caller: admin }, { keyId });
    case 'revoke':
      return revokeKey({ kms, caller: admin }, { keyId, reason: 'end_of_life' });
    case 'destroy':
      return destroyKey({ kms, caller: admin }, { keyId, pendingDays: 1 });
    case 'restore':
      return restoreKey({ kms, caller: admin }, { keyId });
    case 'shred':
      return shredKey({ kms, caller: admin }, { keyId, confirmation: `SHRED-${keyId}` });
  }
}

function nodeOf(real: Real, index: number): Kms {
  const node = real.nodes[index % real.nodes.length];
  if (node === undefined) throw new Error('the model has no node');
  return node;
}

function callOn(real: Real, index: number): Operation {
  return { kms: nodeOf(real, index), caller: real.fixture.admin };
}

function keyOf(model: Model, index: number): ModelKey | undefined {
  return model.keys[index % Math.max(1, model.keys.length)];
}

async function checkKey(real: Real, key: ModelKey): Promise<void> {
  const shown = await getKey(callOn(real, 0), { keyId: key.keyId });
  expect(shown.state).toBe(key.state);
  expect(shown.revision).toBe(key.revision);
  expect(shown.versions.map((version) => version.version)).toEqual(
    Array.from({ length: key.versions }, (_, index) => index + 1),
  );
  expect(shown.versions.filter((version) => version.state === 'active')).toHaveLength(
    key.state === 'destroyed' ? 0 : 1,
  );
  expect(shown.currentVersion).toBe(key.versions);
}

type Command = fc.AsyncCommand<Model, Real>;

function command(
  label: string,
  check: (model: Model) => boolean,
  run: (model: Model, real: Real) => Promise<void>,
): Command {
  return { check, run, toString: () => label };
}

const commands = [
  fc
    .tuple(fc.nat(1), fc.option(fc.integer({ min: 1, max: 3 })), fc.constantFrom('aes-256', 'replayed'))
    .map(([node, retain, kind]) =>
      command(
        `create on ${node} (${kind}, retain ${retain})`,
        (model) => model.keys.length < 4,
        async (model, real) => {
          const idempotency = { key: `key-${model.keys.length}`, fingerprint: Buffer.alloc(32, 1) };
          const input = { rotation: { retainVersions: retain } };
          const once = kind === 'replayed' ? { idempotency } : {};
          const created = await createKey({ ...callOn(real, node), ...once }, input);
          if (kind === 'replayed') {
            const known = model.replays.get(idempotency.key);
            expect(await createKey({ ...callOn(real, node + 1), ...once }, input)).toEqual(known ?? created);
            model.replays.set(idempotency.key, created);
          }
          if (model.keys.some((key) => key.keyId === created.keyId)) return;
          model.keys.push({
            keyId: created.keyId,
            state: 'active',
            before: 'active',
            destroyAt: null,
            versions: 1,
            revision: 1,
            revoked: false,
            retain,
            ciphertexts: [],
          });
        },
      ),
    ),
  fc.tuple(fc.nat(1), fc.nat(3), fc.string({ maxLength: 8 })).map(([node, index, plaintext]) =>
    command(
      `encrypt with ${index} on ${node}`,
      (model) => model.keys.length > 0,
      async (model, real) => {
        const key = keyOf(model, index);
        if (key === undefined) return;
        const call = promised(() =>
          encrypt(callOn(real, node), { keyId: key.keyId, plaintext: Buffer.from(plaintext) }),
        );
        if (key.state !== 'active') {
          expect(await outcome(call)).toBe('KEY_STATE_INVALID');
          return;
        }
        const { ciphertext, keyVersion } = await call;
        expect(keyVersion).toBe(key.versions);
        key.ciphertexts.push({ bytes: ciphertext, plaintext, version: keyVersion });
      },
    ),
  ),
  fc.tuple(fc.nat(1), fc.nat(3), fc.nat(9)).map(([node, index, which]) =>
    command(
      `decrypt ${which} of ${index} on ${node}`,
      (model) => (keyOf(model, index)?.ciphertexts.length ?? 0) > 0,
      async (model, real) => {
        const key = keyOf(model, index);
        const made = key?.ciphertexts[which % key.ciphertexts.length];
        if (key === undefined || made === undefined) return;
        const retired = key.retain !== null && made.version <= key.versions - key.retain;
        const call = promised(() => decrypt(callOn(real, node), { ciphertext: made.bytes }));
        if (retired || (key.state !== 'active' && key.state !== 'suspended'))
          expect(await outcome(call)).toBe('KEY_STATE_INVALID');
        else expect(Buffer.from((await call).plaintext).toString()).toBe(made.plaintext);
      },
    ),
  ),
  fc
    .tuple(
      fc.nat(1),
      fc.nat(3),
      fc.constantFrom<Act>('rotate', 'rotate', 'suspend', 'resume', 'revoke', 'destroy', 'restore', 'shred'),
    )
    .map(([node, index, act]) =>
      command(
        `${act} ${index} on ${node}`,
        (model) => model.keys.length > 0,
        async (model, real) => {
          const key = keyOf(model, index);
          if (key === undefined) return;
          const verdict = applyToModel(key, act, model.now);
          expect(await outcome(callAct(nodeOf(real, node), real.fixture, key.keyId, act))).toBe(
            verdict === 'refused' ? 'KEY_STATE_INVALID' : 'done',
          );
          await checkKey(real, key);
        },
      ),
    ),
  fc.integer({ min: 1, max: 30 }).map((hours) =>
    command(
      `wait ${hours} h`,
      () => true,
      async (model, real) => {
        real.fixture.advance(hours * 3_600_000);
        model.now += hours * 3_600_000;
        const due = model.keys.filter((key) => key.destroyAt !== null && key.destroyAt <= model.now);
        const reports = await Promise.all(
          real.nodes.map((node) => runDueWork(operationOfService(node, 'runDueWork'), new AbortController().signal)),
        );
        expect(reports.flatMap((report) => report.failed)).toEqual([]);
        expect(reports.reduce((sum, report) => sum + report.destroyed, 0)).toBe(due.length);
        for (const key of due) {
          key.state = 'destroyed';
          key.destroyAt = null;
          key.revision += 1;
          await checkKey(real, key);
        }
      },
    ),
  ),
  fc.nat(1).map((node) =>
    command(
      `restart node ${node}`,
      () => true,
      async (_model, real) => {
        real.nodes[node] = await real.fixture.restarted();
      },
    ),
  ),
];

describe('the lifecycle', () => {
  test('follows its rules whatever happens in whatever order, on two nodes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: 'max' }), async (sequence) => {
        const fixture = await makeFixture({ frozenClock: true });
        const setup = async () => ({
          model: { keys: [], now: 0, replays: new Map() } satisfies Model,
          real: { fixture, nodes: [fixture.kms, await fixture.restarted()] } satisfies Real,
        });
        await fc.asyncModelRun(setup, sequence);
      }),
      { numRuns: 200 },
    );
  });
});
