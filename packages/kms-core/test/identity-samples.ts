import { randomUUID } from 'node:crypto';
import type { CreateIdentityBindingInput, ProvenClaims } from '../src/exports/internal.ts';

export const ISSUER = 'https://issuer.example';
const HOUR = 60 * 60 * 1000;

/** Claims as a credential proves them. */
export function proven(
  claims: Readonly<Record<string, string | readonly string[]>> = {},
  change: Partial<ProvenClaims> = {},
): ProvenClaims {
  const all = { sub: 'system:serviceaccount:orders:api', ...claims };
  const issuedAt = change.issuedAt ?? Date.now();
  return {
    name: randomUUID(),
    credential: 'jwt',
    issuer: ISSUER,
    subject: [all.sub].flat().join(),
    credentialId: randomUUID(),
    issuedAt,
    expiresAt: issuedAt + HOUR,
    claims: new Map(Object.entries(all).map(([name, value]) => [name, [value].flat()])),
    mfa: false,
    ...change,
  };
}

/** A binding for the service accounts of one namespace. */
export const BINDING: CreateIdentityBindingInput = {
  issuer: ISSUER,
  match: { sub: 'system:serviceaccount:orders:*' },
  role: 'key_user',
};
