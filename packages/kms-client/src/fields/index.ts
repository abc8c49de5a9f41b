// The public surface of encrypted database fields, for every platform.
export { type CiphertextHeader, ciphertextHeader } from './ciphertext-header.ts';
export {
  createFieldCipher,
  type FieldCipher,
  type FieldService,
  type PlainField,
  type ResealedField,
  type SealedField,
} from './field-cipher.ts';
export type { BlindIndexOptions, FieldCipherOptions } from './field-cipher-options.ts';
export { KmsClientError } from '../errors/kms-client-error.ts';
