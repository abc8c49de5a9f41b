/** The issuer under which bindings know the certificates of clients, whichever authority issued them. */
export const CERTIFICATE_ISSUER = 'mtls';

/** The claims that a certificate may prove. */
export const CERTIFICATE_CLAIMS = ['san.uri', 'san.dns', 'san.email', 'subject.cn', 'fingerprint'] as const;

/** For so long after it begins a certificate can prove something, whatever it says: a denial of it lasts as long. */
export const CERTIFICATE_LIFETIME_SECONDS = 10 * 366 * 24 * 60 * 60;
