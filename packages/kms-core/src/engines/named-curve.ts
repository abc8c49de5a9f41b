/** The identifier of an elliptic curve key, id-ecPublicKey 1.2.840.10045.2.1, as DER has it. */
const EC_KEY = Buffer.from('06072a8648ce3d0201', 'hex');
const OBJECT_IDENTIFIER = 0x06;

/**
 * Whether an elliptic curve key in DER (PKCS #8 or SubjectPublicKeyInfo) names its curve, as RFC 5480, section 2.1.1,
 * demands. OpenSSL also takes explicit parameters, which let an attacker choose the generator (CVE-2020-0601), and
 * reports a curve name for them all the same.
 */
export function namesCurve(der: Uint8Array): boolean {
  const at = Buffer.from(der.buffer, der.byteOffset, der.byteLength).indexOf(EC_KEY);
  return at >= 0 && der[at + EC_KEY.length] === OBJECT_IDENTIFIER;
}
