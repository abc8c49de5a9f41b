import type { SignatureOptions } from '../engines/engine.ts';
import { badRequest } from '../errors/kms-error.ts';
import { BOUNDS } from './bounds.ts';
import { checkBytes, checkOneOf } from './check-values.ts';

/** What is signed or verified, and how. Whether the algorithm has such options is known only with the version. */
export function checkSignatureInput(data: Uint8Array, options: SignatureOptions | undefined): void {
  checkBytes('data', data, BOUNDS.messageBytes);
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null) throw badRequest('options', 'must be an object');
  const { context, format, scheme, messageType, hash } = options;
  if (context !== undefined) checkBytes('context', context, BOUNDS.signatureContextBytes);
  if (messageType !== undefined) checkOneOf('messageType', messageType, ['raw', 'digest']);
  if (hash !== undefined) checkOneOf('hash', hash, ['sha256', 'sha384', 'sha512']);
  if (format !== undefined) checkOneOf('format', format, ['der', 'ieee-p1363']);
  if (scheme !== undefined) checkOneOf('scheme', scheme, ['pss', 'pkcs1-v1_5']);
}
