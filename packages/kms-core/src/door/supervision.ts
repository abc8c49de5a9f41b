import { KmsError } from '../errors/kms-error.ts';
import { presentEpoch } from '../evidence/present-epoch.ts';
import type { WrittenFormat } from '../hierarchy/written-format.ts';
import type { AlertSink } from '../model/alert.ts';
import type { Kms } from '../operations/kms.ts';
import { noteSwitch } from '../operations/note-switch.ts';
import { settleCopy } from './settle-copy.ts';
import { FORGOTTEN_AFTER_MS } from '../ports/commit-retention.ts';
import type { DatabaseCopies } from '../ports/database-copies.ts';
import type { RunningEvidence } from '../ports/kept-evidence.ts';
import type { Storage } from '../ports/storage.ts';
import { repeat } from '../scheduling/repeated.ts';
import { type FleetMember, joinFleet } from './fleet-member.ts';
import type { RunningCalls } from './running-calls.ts';

const INTERVAL_MS = 10_000;
/** A process that missed this many turns counts as gone. */
const MISSED_TURNS = 3;

interface Supervised {
  readonly kms: Kms;
  readonly storage: Storage;
  readonly evidence: RunningEvidence | undefined;
  readonly format: WrittenFormat;
  readonly calls: RunningCalls;
  readonly alert: AlertSink;
  readonly acceptRestoredCopy: Date | undefined;
}

/**
 * Sees to it that a process serves only what it may: joins those that work on the same database, settles a restored copy,
 * begins the evidence, and looks again and again whether the database is still the one that it was.
 *
 * @throws KmsError `SEALED` for a restored copy that nobody has settled; `CONFLICT` as {@link joinFleet} does.
 */
export async function supervise(supervised: Supervised): Promise<{ stop(): Promise<void> }> {
  const { kms, storage, evidence, format, alert, calls } = supervised;
  const aliveMs = MISSED_TURNS * INTERVAL_MS;
  const fleet = storage.fleet && (await joinFleet(storage.fleet, kms, format, { aliveMs, alert }));
  try {
    if (storage.copies !== undefined) await requireSettled(supervised, storage.copies);
    await unlessReadOnly(() => noteSwitch(storage.evidence, evidence !== undefined, kms.clock));
    evidence?.begin?.(await presentEpoch(storage.copies));
  } catch (error) {
    await fleet?.leave();
    throw error;
  }
  const turns = repeat(INTERVAL_MS, async () => {
    try {
      if (calls.refusal === undefined) await look(supervised, fleet);
    } catch (error) {
      alert({ kind: 'supervision-failed', message: 'Could not look after the database; trying again.', cause: error });
    }
  });
  return {
    stop: async () => {
      await turns.stop();
      await fleet?.leave();
    },
  };
}

async function requireSettled(
  { kms, storage, calls, alert, acceptRestoredCopy }: Supervised,
  copies: DatabaseCopies,
): Promise<void> {
  const found = await copies.look();
  if (found.dataAsOf !== null && found.settled === null) {
    await settleCopy(kms, copies, found.dataAsOf, acceptRestoredCopy);
    if ((await copies.look()).settled === null) {
      const asOf = found.dataAsOf.toISOString();
      throw new KmsError(
        'SEALED',
        `The database is a copy with data of ${asOf}. What was destroyed, revoked or suspended since is not known, so nothing is served: load the newest tombstones, or, if there are none, accept the copy with acceptRestoredCopy: new Date('${asOf}').`,
        { details: { dataAsOf: asOf } },
      );
    }
  }
  storage.commits?.onBehind(() => {
    const message =
      'The database lacks changes that were acknowledged: a lagging standby was promoted, or an older copy was put in its place. Nothing is served.';
    calls.refuse(message);
    alert({ kind: 'database-replaced', message });
    copies.declareBehind(found.noticedAt, storage.commits?.lacking ?? []).catch((cause: unknown) => {
      alert({ kind: 'supervision-failed', message: 'Could not record that the database is an older copy.', cause });
    });
  });
  await unlessReadOnly(async () => {
    await copies.keepAlive();
    await copies.forgetProcesses(new Date(Date.now() - FORGOTTEN_AFTER_MS));
  });
}

/** One look at the database and at the other processes. */
async function look({ storage, calls, alert }: Supervised, fleet: FleetMember | undefined): Promise<void> {
  try {
    await storage.commits?.check();
  } catch (error) {
    // The listener for it has refused all calls.
    if (KmsError.is(error) && error.code === 'SEALED') return;
    throw error;
  }
  if (storage.copies !== undefined && !(await storage.copies.keepAlive())) {
    const message = 'The database was replaced by a restored copy while it was in use. Open it again.';
    calls.refuse(message);
    alert({ kind: 'database-replaced', message });
    return;
  }
  await fleet?.renew();
}

/** A database that only reads is served from as well; the next start tries again. */
async function unlessReadOnly(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!KmsError.is(error) || error.code !== 'STORE_UNAVAILABLE') throw error;
  }
}
