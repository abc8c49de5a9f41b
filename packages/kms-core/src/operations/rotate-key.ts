import { requireCreatable } from '../lifecycle/admission.ts';
import { authorize } from '../access/evaluate-policy.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import { algorithmById, postQuantumDefault } from '../algorithms/resolve.ts';
import { KmsError } from '../errors/kms-error.ts';
import { KEY_TRANSITIONS } from '../lifecycle/transitions.ts';
import { isImported, nextPurpose } from '../lifecycle/versions.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyRecord } from '../model/key.ts';
import type { Quotas } from '../model/quotas.ts';
import { addVersion, hasRoomForVersion, nextVersionName, requireRoomForVersion } from './add-version.ts';
import { OPERATIONS } from './catalog.ts';
import { changeKey } from './change-key.ts';
import type { Operation } from './operation.ts';
import type { Kms } from './kms.ts';
import { prepareVersion, softwareVersion, type VersionPlan } from './prepare-version.ts';
import type { PreparedVersion } from './prepared-version.ts';

/** As many random bytes as a secret key in software is made of. */
const MOST_DRAWN_BYTES = 64;

type Renewal = typeof OPERATIONS.rotateKey | typeof OPERATIONS.upgradeKey;

/** Makes a new version; the old ones still decrypt, verify and unwrap. */
export function rotateKey(op: Operation, input: ChangeRequest): Promise<KeyDescription> {
  return renewKey(op, OPERATIONS.rotateKey, input);
}

/** Makes a new version under the post-quantum default for what the key does. */
export function upgradeKey(op: Operation, input: ChangeRequest): Promise<KeyDescription> {
  return renewKey(op, OPERATIONS.upgradeKey, input);
}

async function renewKey(op: Operation, renewal: Renewal, input: ChangeRequest): Promise<KeyDescription> {
  const { kms, caller } = op;
  const quotas = await kms.quotas.of(caller.tenantId);
  // Before the unit of work: an HSM may take its time for random bytes.
  const drawn = await kms.random(MOST_DRAWN_BYTES);
  let seen: KeyRecord;
  try {
    return await changeKey(op, renewal, input, (record, context) => {
      const algorithm = algorithmAfter(renewal, record);
      requireCreatable(kms.settings, algorithm, kms.clock);
      requireRoomForVersion(record, quotas);
      if (isImported(record)) return refuseRenewal(record);
      const prepared = softwareSecret(kms, record, algorithm, drawn);
      if (prepared === undefined) throw new TakesTime(record);
      return addVersion(record, context, { prepared, quotas });
    });
  } catch (error) {
    if (!(error instanceof TakesTime)) throw error;
    seen = error.record;
  } finally {
    drawn.fill(0);
  }
  return await renewSlowly(op, renewal, input, { seen, quotas });
}

/** Ends a unit of work in which the new version can't be made: nothing waits in one for an HSM, or for seconds. */
class TakesTime extends Error {
  override readonly name = 'TakesTime';
  /** The key as it is stored, authentic. */
  readonly record: KeyRecord;

  constructor(record: KeyRecord) {
    super('Making the new version takes time.');
    this.record = record;
  }
}

/** What `prepareVersion` makes for a secret key in software, from bytes that were drawn before; `undefined` for all others. */
function softwareSecret(
  kms: Kms,
  { protectionLevel }: KeyRecord,
  algorithm: Algorithm,
  drawn: Uint8Array,
): PreparedVersion | undefined {
  const { form } = algorithm;
  if (protectionLevel !== 'software' || form.kind !== 'secret' || form.bytes > drawn.length) return undefined;
  const material = { secret: drawn.subarray(0, form.bytes), publicKey: null };
  return softwareVersion(kms, material, { algorithm, origin: 'generated', warnings: [] });
}

interface SeenKey {
  readonly seen: KeyRecord;
  readonly quotas: Quotas;
}

async function renewSlowly(
  op: Operation,
  renewal: Renewal,
  input: ChangeRequest,
  { seen, quotas }: SeenKey,
): Promise<KeyDescription> {
  const plan = planRenewal(op, renewal, seen, quotas);
  if (plan === undefined)
    return changeKey(
      op,
      renewal,
      input,
      (record) => {
        requireRoomForVersion(record, quotas);
        return refuseRenewal(record);
      },
      { seen },
    );
  await using prepared = await prepareVersion(op, plan);
  const { algorithm, warnings } = prepared.facts;
  const renewed = changeKey(
    op,
    renewal,
    input,
    (record, context) => {
      if (isImported(record) || algorithmAfter(renewal, record) !== algorithm) return refuseRenewal(record);
      return addVersion(record, context, { prepared, quotas });
    },
    { warnings, seen },
  );
  return await prepared.stored(renewed);
}

/** What to make for the new version; `undefined` for a key that may not get one: the change itself checks that and reports it. */
function planRenewal(
  { kms, caller }: Operation,
  renewal: Renewal,
  seen: KeyRecord,
  quotas: Quotas,
): VersionPlan | undefined {
  authorize(caller, renewal.permission, seen, kms.clock());
  const algorithm = algorithmAfter(renewal, seen);
  requireCreatable(kms.settings, algorithm, kms.clock);
  if (KEY_TRANSITIONS[seen.state][renewal.lifecycle] === undefined || isImported(seen)) return undefined;
  if (!hasRoomForVersion(seen, quotas)) return undefined;
  return {
    name: nextVersionName(seen),
    algorithm,
    protectionLevel: seen.protectionLevel,
    purpose: nextPurpose(seen, algorithm),
  };
}

function algorithmAfter({ lifecycle }: Renewal, { algorithm, purpose }: KeyRecord): Algorithm {
  const present = algorithmById(algorithm);
  return lifecycle === 'rotate' ? present : postQuantumDefault(present, purpose);
}

/** The error for a key that has changed since the new version was made for it, or that may not get one. */
function refuseRenewal(record: KeyRecord): never {
  if (isImported(record))
    throw new KmsError('KEY_STATE_INVALID', 'The material of the key was imported: import a new version instead.', {
      details: { origin: 'imported' },
    });
  throw new KmsError('CONFLICT', 'The key changed at the same moment. Try again.');
}
