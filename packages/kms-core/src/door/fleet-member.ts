import { KmsError } from '../errors/kms-error.ts';
import { FORMAT_ANNOUNCEMENT, type WrittenFormat } from '../hierarchy/written-format.ts';
import type { AlertSink } from '../model/alert.ts';
import { newId } from '../model/identifiers.ts';
import type { Kms, KmsSettings } from '../operations/kms.ts';
import type { FleetNode, FleetNodes } from '../ports/fleet-nodes.ts';

/** What all processes on one database should agree on, under the names by which they tell each other. */
export function fleetSettings({
  settings,
  evidence,
}: {
  readonly settings: Pick<KmsSettings, 'defaultAlgorithm' | 'requireFips'>;
  readonly evidence: unknown;
}) {
  return {
    KMS_EVIDENCE_ENABLED: String(evidence !== undefined),
    KMS_ALGORITHM: settings.defaultAlgorithm.id,
    KMS_REQUIRE_FIPS: String(settings.requireFips),
  } as const;
}

/** This process as one of those that work on its database. */
export interface FleetMember {
  /** Looks at the others again. */
  renew(): Promise<void>;
  leave(): Promise<void>;
}

const NAME = 'embedded';

/**
 * Joins the processes that work on a database.
 *
 * @param aliveMs for how long this process counts as there without a renewal
 * @throws KmsError `CONFLICT` when one of them keeps evidence and this one does not, or the other way round: what one does
 *   would be missing in what the other promises.
 */
export async function joinFleet(
  nodes: FleetNodes,
  kms: Pick<Kms, 'settings' | 'evidence'>,
  format: WrittenFormat,
  { aliveMs, alert }: { readonly aliveMs: number; readonly alert: AlertSink },
): Promise<FleetMember> {
  const own = fleetSettings({ settings: kms.settings, evidence: kms.evidence });
  const node = { nodeId: newId(), version: NAME, settings: { ...own, ...FORMAT_ANNOUNCEMENT } };
  const differs = ({ settings }: FleetNode) => {
    const evidence = settings['KMS_EVIDENCE_ENABLED'];
    return evidence !== undefined && evidence !== own.KMS_EVIDENCE_ENABLED;
  };
  let refused = false;
  try {
    format.heardOf(
      await nodes.join(node, aliveMs, (others) => {
        refused = others.some(differs);
        return !refused;
      }),
    );
  } catch (error) {
    // A database that only reads is served from as well.
    if (!KmsError.is(error) || error.code !== 'STORE_UNAVAILABLE') throw error;
    alert({
      kind: 'fleet-unknown',
      message: 'Could not compare this process with the others on its database.',
      cause: error,
    });
  }
  if (refused)
    throw new KmsError(
      'CONFLICT',
      `Another process on this database ${kms.evidence === undefined ? 'keeps' : 'does not keep'} evidence, and this one ${kms.evidence === undefined ? 'does not' : 'does'}: give both the same option, or stop the other one first.`,
    );
  return {
    renew: async () => {
      format.heardOf(await nodes.renew(node, aliveMs));
    },
    leave: () =>
      nodes.leave(node.nodeId).catch((error: unknown) => {
        // It counts as gone automatically after a while.
        if (!KmsError.is(error)) throw error;
      }),
  };
}
