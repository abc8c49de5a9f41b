import type { ApiTokenRecord } from '@qnsp/kms-core';
import type { apiTokens } from '../schema/api-tokens.ts';

/** The row of a token. */
export function toTokenRow({ mac, permissions, ...token }: ApiTokenRecord): typeof apiTokens.$inferInsert {
  return {
    ...token,
    permissions: [...permissions],
    macTmkVersion: mac?.tmkVersion ?? null,
    macTag: mac?.tag ?? null,
  };
}

/** The token of a row. */
export function toTokenRecord({ macTmkVersion, macTag, ...row }: typeof apiTokens.$inferSelect): ApiTokenRecord {
  return { ...row, mac: macTmkVersion === null || macTag === null ? null : { tmkVersion: macTmkVersion, tag: macTag } };
}
