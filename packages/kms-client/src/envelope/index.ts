// The public surface of envelope encryption, for every platform.
export { createEnvelope, type Envelope, type EnvelopeOptions } from './envelope.ts';
export type { DataKeyCacheOptions } from './data-key-cache.ts';
export type { DataKeyService } from './data-keys.ts';
export type { EnvelopeContext } from './context-digest.ts';
export type { EncryptOptions } from './sealer.ts';
export type { DecryptOptions } from './opener.ts';
export { KmsClientError } from '../errors/kms-client-error.ts';
