import { sortedJson } from '../encoding/sorted-json.ts';
import type { KeyRecord } from '../model/key.ts';
import { KNOWN_FIELDS } from '../model/record-fields.ts';
import type { AuditFact, AuditFacts } from '../model/audit-event.ts';
import { fieldFacts, sha256 } from './field-facts.ts';

/** What a key's record says, as far as evidence may say it: values of metadata stay out, because it is free text; a policy is named by its hash. */
export function keyFacts(record: KeyRecord): AuditFacts {
  const { rotation, usageLimits, revocation } = record;
  return {
    state: record.state,
    algorithm: record.algorithm,
    purpose: record.purpose,
    protectionLevel: record.protectionLevel,
    currentVersion: record.currentVersion,
    versionStates: record.versions.map((version) => `${version.version}:${version.state}`),
    name: record.name,
    metadataKeys: Object.keys(record.metadata).sort(),
    policySha256: record.policy === null ? null : sha256(record.policy),
    parentKeyId: record.parentKeyId,
    rotationPeriodSeconds: rotation.periodSeconds,
    autoRotate: rotation.auto,
    retainVersions: rotation.retainVersions,
    nextRotationAt: rotation.nextRotationAt?.toISOString() ?? null,
    maxOperations: usageLimits.maxOperations,
    expiresAt: usageLimits.expiresAt?.toISOString() ?? null,
    revocationReason: revocation?.reason ?? null,
    destroyAt: record.destroyAt?.toISOString() ?? null,
    revision: record.revision,
    ...fieldFacts(record.fields, KNOWN_FIELDS.key),
    ...ofVersions(record),
  };
}

function ofVersions({ versions }: KeyRecord): AuditFacts {
  return Object.fromEntries(
    versions.flatMap(({ version, fields }) => Object.entries(fieldFacts(fields, KNOWN_FIELDS.version, `${version}:`))),
  );
}

/** The facts in which two records differ, of the one before and of the one after. */
export function changedFacts(before: AuditFacts, after: AuditFacts): { before: AuditFacts; after: AuditFacts } {
  // A field that is there no longer is only in those before.
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])].filter(
    (name) => !isSame(before[name], after[name]),
  );
  return { before: pick(before, names), after: pick(after, names) };
}

function pick(facts: AuditFacts, names: readonly string[]): AuditFacts {
  return Object.fromEntries(names.map((name) => [name, facts[name] ?? null]));
}

function isSame(one: AuditFact | undefined, other: AuditFact | undefined): boolean {
  return sortedJson(one ?? null) === sortedJson(other ?? null);
}
