import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

/** What a port shows its clients under TLS, and whom it lets vouch for theirs. All of it is PEM. */
export interface TlsIdentity {
  /** The certificate, then those that lead to its authority. */
  readonly certificate: string;
  readonly key: string;
  readonly passphrase?: string | undefined;
  /** Who issues the certificates of clients; without it they are asked for none. */
  readonly clientAuthorities?: string | undefined;
  /** The certificates that these authorities have revoked. With a list every authority must have one. */
  readonly revocations?: string | undefined;
}

/** How a port speaks TLS. */
export interface TlsSettings {
  readonly identity: TlsIdentity;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** What keys are agreed by, in the order of preference and in the names of OpenSSL, such as `X25519MLKEM768:X25519`. */
  readonly groups: string;
  /** Whether ciphers are left out that FIPS 140-3 does not approve; default: they are not. */
  readonly approvedOnly?: boolean;
}

/** Forward secret and authenticated; everything else that TLS 1.2 has is neither. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
];
/** Those of AES-GCM (SP 800-52 Rev. 2, section 3.3.1). */
const APPROVED_CIPHERS = CIPHERS.filter((cipher) => /AES_?(?:128|256)[_-]GCM/.test(cipher));

/** A session that is resumed was agreed on no longer ago than this. */
export const SESSION_SECONDS = 3600;

/**
 * What OpenSSL is told. Nothing is renegotiated. Where clients have certificates no session is resumed: each connection proves
 * itself, so that a certificate that was revoked since does not come back with an old session.
 *
 * @throws Error of OpenSSL when the parts do not fit together
 */
export function secureContextOptions(settings: TlsSettings): SecureContextOptions {
  const { identity, minVersion, groups, approvedOnly = false } = settings;
  const { certificate, key, passphrase, clientAuthorities, revocations } = identity;
  const resumes = clientAuthorities === undefined;
  return {
    cert: certificate,
    key,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(clientAuthorities === undefined ? {} : { ca: clientAuthorities }),
    ...(revocations === undefined ? {} : { crl: revocations }),
    minVersion,
    ciphers: (approvedOnly ? APPROVED_CIPHERS : CIPHERS).join(':'),
    honorCipherOrder: true,
    ecdhCurve: hybridFirst(groups),
    sessionTimeout: SESSION_SECONDS,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (resumes ? 0 : constants.SSL_OP_NO_TICKET),
  };
}

/**
 * Has a client that knows a post-quantum group agree by it, even if its first message guessed another one: OpenSSL takes what was
 * guessed among the groups up to a slash.
 */
function hybridFirst(groups: string): string {
  return groups.replaceAll(/(MLKEM\d+):/gi, '$1/');
}
