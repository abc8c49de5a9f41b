import type { Presented, RequestHead } from '@qnsp/http-edge';
import type { KmsError } from '@qnsp/kms-core';
import type { PresentedCertificate } from '@qnsp/kms-core/ports';
import {
  type ClaimedSignature,
  SignatureRefusal,
  type SignatureRefusalReason,
  type SignatureVerifier,
} from '@qnsp/sigv4';
import { awsError } from '../errors/aws-error.ts';

const INVALID = 'InvalidSignatureException';
const INCOMPLETE = 'IncompleteSignatureException';
const UNRECOGNIZED = 'UnrecognizedClientException';

const TYPES: Readonly<Record<SignatureRefusalReason, string>> = {
  missing: 'MissingAuthenticationTokenException',
  incomplete: INCOMPLETE,
  'duplicate-header': INCOMPLETE,
  'too-large': INCOMPLETE,
  presigned: INVALID,
  scope: INVALID,
  expired: INVALID,
  'not-yet-current': INVALID,
  'unknown-access-key': UNRECOGNIZED,
  'session-token': UNRECOGNIZED,
  'signed-headers': INVALID,
  'payload-hash': INVALID,
  signature: INVALID,
};

/** What a request presents: a signature, which its body is part of. */
export function presentedSignature(
  verifier: SignatureVerifier,
  incoming: RequestHead,
  certificate: PresentedCertificate | undefined,
): Presented {
  const claimed = refusing(() => claimedBy(verifier, incoming));
  const { accessKeyId } = claimed;
  return {
    withBody: (body) => ({
      signature: { accessKeyId, prove: (accessKey) => refusing(() => claimed.prove(body, accessKey)) },
      certificate,
    }),
  };
}

function claimedBy(verifier: SignatureVerifier, { method = '', url = '', rawHeaders }: RequestHead): ClaimedSignature {
  if (rawHeaders === undefined)
    throw new SignatureRefusal('incomplete', 'The headers of the request did not arrive as they were sent.');
  return verifier.read({ method, target: url, rawHeaders });
}

function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof SignatureRefusal ? refusalOf(error) : error;
  }
}

function refusalOf({ reason, message }: SignatureRefusal): KmsError {
  return awsError('UNAUTHORIZED', TYPES[reason], message);
}
