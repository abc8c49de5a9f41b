import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from './temp-dir.ts';

/** Somebody whose JSON Web Tokens a service takes, with a file of keys. */
export interface JwtIssuer {
  readonly issuer: string;
  /** The settings of a service that trusts it. */
  readonly env: Readonly<Record<string, string>>;
  /** A token for a subject, issued a few seconds ago. */
  token(sub: string, claims?: object): string;
  end(): Promise<void>;
}

const AUDIENCE = 'https://kms.example';

/** Makes one with a key of its own. `settings` are further members of its entry in the configuration. */
export function jwtIssuer(settings: object = {}): JwtIssuer {
  const files = tempDir('qnsp-issuer-');
  const issuer = 'https://issuer.example';
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwksFile = join(files.path, 'jwks.json');
  const key = { ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'ES256', use: 'sig' };
  writeFileSync(jwksFile, JSON.stringify({ keys: [key] }));
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    issuer,
    env: { KMS_JWT_ISSUERS_JSON: JSON.stringify([{ issuer, audience: AUDIENCE, jwksFile, ...settings }]) },
    token: (sub, claims = {}) => {
      const iat = Math.floor(Date.now() / 1000) - 5;
      const all = { iss: issuer, aud: AUDIENCE, sub, jti: randomUUID(), iat, exp: iat + 3600, ...claims };
      const input = `${part({ alg: 'ES256', kid: '1' })}.${part(all)}`;
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${input}.${signature.toString('base64url')}`;
    },
    end: async () => files.remove(),
  };
}
