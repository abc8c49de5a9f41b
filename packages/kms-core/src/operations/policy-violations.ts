import { algorithmById } from '../algorithms/resolve.ts';
import type { PolicyViolation } from '../crypto-policy/policy-verdicts.ts';
import { describeKey, type KeyDescription } from '../model/describe-key.ts';
import type { KeyRecord } from '../model/key.ts';
import type { Kms } from './kms.ts';

/** What of the further use of a key violates the crypto policy of the service. */
export function policyViolations(
  { settings, clock }: Pick<Kms, 'settings' | 'clock'>,
  record: KeyRecord,
): readonly PolicyViolation[] {
  const { cryptoPolicy } = settings;
  if (cryptoPolicy === undefined || (record.state !== 'active' && record.state !== 'suspended')) return [];
  const now = clock();
  // A superseded version only reads what it protected.
  const earlier = record.versions
    .filter(({ state, algorithm }) => state === 'decrypt-only' && algorithm !== record.algorithm)
    .map(({ algorithm }) => algorithm);
  return [
    ...cryptoPolicy.violations(algorithmById(record.algorithm), now),
    ...[...new Set(earlier)].flatMap((id) => cryptoPolicy.violations(algorithmById(id), now, ['process'])),
  ];
}

/** Shows a key, with warnings of what violates the crypto policy behind others. */
export function showKey(
  kms: Pick<Kms, 'settings' | 'clock'>,
  record: KeyRecord,
  warnings: readonly string[] = [],
): KeyDescription {
  const { cryptoPolicy } = kms.settings;
  if (cryptoPolicy === undefined) return describeKey(record, warnings);
  return describeKey(record, [...warnings, ...policyViolations(kms, record).map((each) => cryptoPolicy.warning(each))]);
}
