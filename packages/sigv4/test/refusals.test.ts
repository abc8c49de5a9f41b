import { describe, expect, it, test } from 'vitest';
import { type AccessKey, type RequestHead, SignatureRefusal, SignatureVerifier } from '../src/index.ts';
import { ACCESS_KEY_ID, accessKey, reasonAgainst, SECRET, withHeader } from './requests.ts';
import { signed } from './signed-requests.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const at = (now: number, region: string | undefined = 'us-east-1') =>
  new SignatureVerifier({ region, services: ['kms', 'sts'], clock: () => now });
const verifier = at(NOW);

const SENT = {
  target: '/',
  headers: [
    ['Host', 'kms.example:8095'],
    ['Content-Type', 'application/x-amz-json-1.1'],
    ['X-Amz-Target', 'TrentService.Encrypt'],
  ],
  body: '{}',
  signedBodyHash: false,
  date: '20260131T120000Z',
} as const;
const request = signed(SENT);
const { head, body } = request;
const authorization = head.rawHeaders.at(-1) ?? '';
const refusedFor = (changed: RequestHead) => reasonAgainst(verifier, { head: changed, body }, accessKey());
const withAuthorization = (text: string) => refusedFor(withHeader(head, 'Authorization', text));

test('the request of these tests is one that holds', () => {
  expect(refusedFor(head)).toBeUndefined();
});

describe('without a signature of this kind', () => {
  it('is missing where there is none', () => {
    expect(refusedFor(withHeader(head, 'Authorization'))).toBe('missing');
  });

  it('is presigned where it is in the query, whatever else is there', () => {
    const target = '/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00';
    expect(refusedFor({ ...head, target })).toBe('presigned');
    expect(refusedFor(withHeader({ ...head, target }, 'Authorization'))).toBe('presigned');
  });

  it.each([
    '',
    'Bearer abc',
    'AWS4-HMAC-SHA256',
    'AWS4-HMAC-SHA256 ',
    authorization.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'),
    authorization.replace('AWS4-HMAC-SHA256', 'aws4-hmac-sha256'),
    authorization.replace(/, Signature=.*/, ''),
    authorization.replace(/SignedHeaders=[^,]*, /, ''),
    authorization.replace(/Credential=[^,]*, /, ''),
    `${authorization}, Signature=${'0'.repeat(64)}`,
    `${authorization}, Other=1`,
    `${authorization},`,
    authorization.replace(/Signature=./, 'Signature='),
    authorization.replace(/Signature=.*/, (text) => text.toUpperCase().replace('SIGNATURE', 'Signature')),
    authorization.replace('/us-east-1', ''),
    authorization.replace('aws4_request', 'aws4_request/more'),
    authorization.replace('/20260131', '/2026013'),
    authorization.replace('host;x-amz-date', 'x-amz-date;host'),
    authorization.replace('host;x-amz-date', 'host;host;x-amz-date'),
    authorization.replace('host;', 'Host;'),
    authorization.replace('host;', ';host;'),
  ])('is incomplete: %s', (text) => {
    expect(withAuthorization(text)).toBe('incomplete');
  });

  it('holds with other blanks and in another order, as clients write it', () => {
    const [algorithm = '', ...fields] = authorization.replaceAll(',', '').split(' ');
    expect(withAuthorization(`${algorithm} ${fields.join(',')}`)).toBeUndefined();
    expect(withAuthorization(`${algorithm} ${fields.toReversed().join(', ')}`)).toBeUndefined();
  });
});

describe('scope and time', () => {
  it('is of the region of the verifier, or of any where it has none', () => {
    expect(reasonAgainst(at(NOW, 'eu-west-1'), request, accessKey())).toBe('scope');
    const anywhere = new SignatureVerifier({ services: ['kms'], clock: () => NOW });
    expect(reasonAgainst(anywhere, request, accessKey())).toBeUndefined();
  });

  it('is of a service of the verifier', () => {
    expect(withAuthorization(authorization.replace('/kms/', '/s3/'))).toBe('scope');
    expect(withAuthorization(authorization.replace('/kms/', '/sts/'))).toBe('signature');
  });

  it('is of the day of the time that is stated', () => {
    expect(withAuthorization(authorization.replace('/20260131/', '/20260130/'))).toBe('scope');
  });

  it.each([
    [-300_001, 'not-yet-current'],
    [-300_000, undefined],
    [300_000, undefined],
    [300_001, 'expired'],
  ])('is within five minutes of the present: %d ms', (offset, reason) => {
    expect(reasonAgainst(at(NOW + offset), request, accessKey())).toBe(reason);
  });

  it('is refused with the words by which SDKs correct their clocks', () => {
    expect(() => at(NOW + 301_000).read(head)).toThrow(
      'Signature expired: 20260131T120000Z is now earlier than 20260131T120001Z (20260131T120501Z - 5 min.)',
    );
    expect(() => at(NOW - 301_000).read(head)).toThrow(
      'Signature not yet current: 20260131T120000Z is still later than 20260131T115959Z (20260131T115459Z + 5 min.)',
    );
  });

  it.each(['', '20260131T1200Z', '20260131T120000', '20260230T120000Z', '2026-01-31T12:00:00Z', ' 20260131T120000Z'])(
    'is incomplete with a time such as "%s"',
    (text) => {
      expect(refusedFor(withHeader(head, 'X-Amz-Date', text))).toBe('incomplete');
    },
  );

  it('takes the time of Date where there is no X-Amz-Date, and has it signed', () => {
    const dated = withHeader(withHeader(head, 'X-Amz-Date'), 'Date', 'Sat, 31 Jan 2026 12:00:00 GMT');
    expect(refusedFor(dated)).toBe('signed-headers');
    expect(refusedFor(withHeader(dated, 'Date', 'Sun, 31 Jan 2026 12:00:00 GMT'))).toBe('incomplete');
    expect(refusedFor(withHeader(dated, 'Date', '2026-01-31'))).toBe('incomplete');
  });
});

describe('headers', () => {
  it.each([
    'Authorization',
    'host',
    'DATE',
    'Content-Type',
    'content-length',
    'X-Amz-Date',
    'X-Amz-Target',
    'x-amz-anything',
  ])('are refused where %s is repeated, even with the same value', (name) => {
    const twice = {
      ...withHeader(head, name, '1'),
      rawHeaders: [...withHeader(head, name, '1').rawHeaders, name, '1'],
    };
    expect(refusedFor(twice)).toBe('duplicate-header');
  });

  it.each(['X-Amz-Grant', 'x-amz-security-token'])('have to be signed where AWS gives them a meaning: %s', (name) => {
    const key = name === 'x-amz-security-token' ? accessKey('1') : accessKey();
    expect(reasonAgainst(verifier, { head: withHeader(head, name, '1'), body }, key)).toBe('signed-headers');
  });

  it.each(['User-Agent', 'X-Amzn-Trace-Id', 'amz-sdk-request', 'Date'])('need not be signed otherwise: %s', (name) => {
    expect(refusedFor(withHeader(head, name, '1'))).toBeUndefined();
  });

  it.each(['Host', 'Content-Type', 'X-Amz-Target'])('have to be there where they are signed: %s', (name) => {
    expect(refusedFor(withHeader(head, name))).toBe('signed-headers');
  });

  it.each(['content-type;', 'host;', ';x-amz-date', ';x-amz-target'])('have to be signed: %s', (name) => {
    expect(withAuthorization(authorization.replace(name, ''))).toBe('signed-headers');
  });

  it('are held to 16 KiB, or to what the verifier is given', () => {
    const bytes = (changed: RequestHead) =>
      changed.rawHeaders.join('').length +
      2 * changed.rawHeaders.length +
      changed.method.length +
      changed.target.length;
    const room = 16 * 1024 - bytes(withHeader(head, 'X', ''));
    expect(refusedFor(withHeader(head, 'X', 'x'.repeat(room)))).toBeUndefined();
    expect(refusedFor(withHeader(head, 'X', 'x'.repeat(room + 1)))).toBe('too-large');
    const narrow = new SignatureVerifier({ services: ['kms'], clock: () => NOW, maxHeadBytes: bytes(head) - 1 });
    expect(reasonAgainst(narrow, request, accessKey())).toBe('too-large');
  });

  it('hold bytes, and the target is a path', () => {
    expect(refusedFor(withHeader(head, 'X', '✓'))).toBe('incomplete');
    expect(refusedFor({ ...head, target: '/ሴ' })).toBe('incomplete');
    for (const target of ['', '*', 'kms.example:443', 'http://kms.example/'])
      expect(refusedFor({ ...head, target })).toBe('incomplete');
  });
});

describe('the body', () => {
  it('is taken as received', () => {
    expect(reasonAgainst(verifier, { head, body: Buffer.from('{} ') }, accessKey())).toBe('signature');
  });

  it.each(['UNSIGNED-PAYLOAD', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', ''])(
    'has the hash that is stated: %s',
    (stated) => {
      const hashed = signed({ ...SENT, signedBodyHash: true });
      expect(reasonAgainst(verifier, hashed, accessKey())).toBeUndefined();
      const changed = { ...hashed, head: withHeader(hashed.head, 'X-Amz-Content-Sha256', stated) };
      expect(reasonAgainst(verifier, changed, accessKey())).toBe('payload-hash');
    },
  );
});

describe('access keys', () => {
  it('are refused where they are unknown, whatever else is wrong', () => {
    expect(reasonAgainst(verifier, request, undefined)).toBe('unknown-access-key');
    expect(reasonAgainst(verifier, { head: withHeader(head, 'X-Amz-More', '1'), body }, undefined)).toBe(
      'unknown-access-key',
    );
  });

  it('are asked for their secret once for each scope, as long as the object is the same', () => {
    let asked = 0;
    const counted: AccessKey = {
      secret: () => {
        asked += 1;
        return Buffer.from(SECRET);
      },
    };
    for (let time = 0; time < 3; time += 1) expect(reasonAgainst(verifier, request, counted)).toBeUndefined();
    expect(asked).toBe(1);
    const anywhere = new SignatureVerifier({ services: ['kms'], clock: () => NOW });
    const inRegion = (region: string) =>
      reasonAgainst(
        anywhere,
        { head: withHeader(head, 'Authorization', authorization.replace('us-east-1', region)), body },
        counted,
      );
    for (const region of ['a', 'b', 'c', 'd', 'd', 'c', 'b', 'a']) expect(inRegion(region)).toBe('signature');
    expect(asked).toBe(5);
    // A fifth scope takes the place of the oldest.
    inRegion('e');
    inRegion('b');
    expect(asked).toBe(6);
    inRegion('a');
    expect(asked).toBe(7);
  });

  it('take effect at once where their secret changes with the object', () => {
    expect(reasonAgainst(verifier, request, accessKey())).toBeUndefined();
    expect(reasonAgainst(verifier, request, { secret: () => Buffer.from('another') })).toBe('signature');
  });

  it('have their secrets wiped', () => {
    const secret = Buffer.from(SECRET);
    expect(reasonAgainst(verifier, request, { secret: () => secret })).toBeUndefined();
    expect(secret.every((byte) => byte === 0)).toBe(true);
  });

  it('are named as they were sent', () => {
    expect(verifier.read(head)).toMatchObject({ accessKeyId: ACCESS_KEY_ID, region: 'us-east-1', service: 'kms' });
  });
});

test('a refusal tells nothing of the request', () => {
  const messages: string[] = [];
  for (const key of [undefined, accessKey('a session'), { secret: () => Buffer.from('another') }])
    try {
      verifier.read(head).prove(body, key);
    } catch (error) {
      if (error instanceof SignatureRefusal) messages.push(error.message);
    }
  expect(messages.length).toBe(3);
  for (const message of messages) expect(message).not.toMatch(/AKID|AWS4|kms\.example|[0-9a-f]{16}/);
});
