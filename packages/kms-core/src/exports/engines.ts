// The cryptography of a single key, without a store.
export type { Encapsulation, KeyEngine, MessageEngine, SignatureHash, SignatureOptions } from '../engines/engine.ts';
export { unwrapWithPadding, wrapWithPadding } from '../engines/key-wrap.ts';
export { signatureVerifier } from '../engines/signature-engine.ts';
export { generateSoftwareKey, importSoftwareKey, loadSoftwareKey, SoftwareKey } from '../engines/software-key.ts';
export { privateKeyInPem, publicKeyInPem } from '../key-material/key-in-pem.ts';
export { RefusedMaterial } from '../key-material/refused-material.ts';
