import type { ApiTokenRecord } from '@qnsp/kms-core/ports';
import type { apiTokens } from '../schema/api-tokens.ts';

/** The row of a token. */
export function toTokenRow({ mac, permissions, ...token }: ApiTokenRecord): typeof apiTokens.$inferInsert {
  return {
    ...token,
    permissions: [...permissions],
    macTmkVersion: mac?.tmkVersion ?? null,
    macTag: mac?.tag ?? null,
    macFormat: mac?.format ?? 1,
  };
}

/** The token of a row. */
export function toTokenRecord(row: typeof apiTokens.$inferSelect): ApiTokenRecord {
  const { macFormat: format, macTmkVersion: tmkVersion, macTag: tag, ...token } = row;
  return { ...token, mac: tmkVersion === null || tag === null ? null : { format, tmkVersion, tag } };
}
