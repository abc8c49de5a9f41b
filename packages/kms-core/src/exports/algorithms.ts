// The table of algorithms, and their names.
export { CRYPTO_OPERATIONS, type CryptoOperation } from '../algorithms/crypto-operation.ts';
export type { AlgorithmId } from '../algorithms/algorithm-id.ts';
export {
  type Algorithm,
  type AlgorithmFamily,
  ALGORITHMS,
  KEY_PURPOSES,
  type KeyForm,
  type KeyPurpose,
  type NodeKeyType,
  PURPOSE_OPERATIONS,
  type Suite,
} from '../algorithms/registry.ts';
export type { AlgorithmRule, CryptoAct, CryptoPolicy, PolicySource, Ruling } from '../crypto-policy/crypto-policy.ts';
export { readCryptoPolicy } from '../crypto-policy/read-crypto-policy.ts';
export { algorithmById, postQuantumDefault, resolveAlgorithm } from '../algorithms/resolve.ts';
