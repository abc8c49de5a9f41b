import { describe, expect, it, test } from 'vitest';
import { SignatureVerifier } from '../src/index.ts';
import { PUBLISHED_SIGNATURES, type PublishedSignature } from './published-signatures.ts';
import { ACCESS_KEY_ID, accessKey, reasonAgainst, type Received } from './requests.ts';

const DATE = '20150830T123600Z';
const verifier = new SignatureVerifier({
  region: 'us-east-1',
  services: ['service'],
  clock: () => Date.parse('2015-08-30T12:36:00Z'),
});

function received({ method, target, headers, body, signature }: PublishedSignature, signed?: string): Received {
  const sent = [`Host:example.amazonaws.com`, `X-Amz-Date:${DATE}`, ...headers].map((header) => {
    const at = header.indexOf(':');
    return [header.slice(0, at), header.slice(at + 1)] as const;
  });
  const names = signed ?? [...new Set(sent.map(([name]) => name.toLowerCase()))].toSorted().join(';');
  const authorization = `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY_ID}/20150830/us-east-1/service/aws4_request, SignedHeaders=${names}, Signature=${signature}`;
  return {
    head: {
      method,
      target: Buffer.from(target).toString('latin1'),
      rawHeaders: [...sent.flat(), 'Authorization', authorization],
    },
    body: Buffer.from(body),
  };
}

function sessionTokenOf({ headers }: PublishedSignature): string | undefined {
  return headers.find((header) => header.startsWith('X-Amz-Security-Token:'))?.slice('X-Amz-Security-Token:'.length);
}

describe('signatures that AWS publishes', () => {
  it.each(PUBLISHED_SIGNATURES.map((each) => [each.named, each] as const))('hold: %s', (_, published) => {
    expect(reasonAgainst(verifier, received(published), accessKey(sessionTokenOf(published)))).toBeUndefined();
  });

  it('are all there', () => {
    expect(PUBLISHED_SIGNATURES.length).toBe(27);
  });
});

test('a session token that was added after signing is refused, although AWS has a signature for that', () => {
  const [before] = PUBLISHED_SIGNATURES.filter(({ named }) => named === 'post-sts-header-before');
  const [vanilla] = PUBLISHED_SIGNATURES.filter(
    ({ named }) => named === 'post-vanilla' || named === 'post-header-key-case',
  );
  if (before === undefined || vanilla === undefined) throw new Error('the published signatures lack a case');
  const after = received({ ...before, signature: vanilla.signature }, 'host;x-amz-date');
  expect(reasonAgainst(verifier, after, accessKey(sessionTokenOf(before)))).toBe('signed-headers');
});
