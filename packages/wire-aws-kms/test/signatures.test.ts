import { afterAll, beforeAll, expect, test } from 'vitest';
import { awsPort, type Sent } from './aws-port.ts';

let port: Awaited<ReturnType<typeof awsPort>>;
beforeAll(async () => {
  port = await awsPort();
});
afterAll(() => port.stop());

const BODY = Buffer.from('{"NumberOfBytes":8}');
const MINUTE_MS = 60_000;

/** A text with another character at a place. */
function changedAt(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === 'a' ? 'b' : 'a') + text.slice(at + 1);
}

test('every change of one byte of what is signed is refused', async () => {
  const sent = port.signed('GenerateRandom', BODY);
  expect((await port.send(sent)).status).toBe(200);
  const others: Sent[] = [];
  for (let at = 0; at < sent.body.length; at += 1) {
    const body = Buffer.from(sent.body);
    body[at] = (body[at] ?? 0) ^ 1;
    others.push({ ...sent, body });
  }
  for (const name of ['content-type', 'x-amz-target', 'x-amz-date', 'authorization'] as const)
    for (let at = 0, text = String(sent.headers[name]); at < text.length; at += 1)
      others.push({ ...sent, headers: { ...sent.headers, [name]: changedAt(text, at) } });
  others.push({ ...sent, path: '/?a' }, { ...sent, headers: { ...sent.headers, host: 'kms.example' } });
  for (const other of others) {
    const { status, type } = await port.send(other);
    expect([JSON.stringify(other), status]).toEqual([JSON.stringify(other), 400]);
    expect(type).toMatch(/^(?:InvalidSignature|IncompleteSignature|UnrecognizedClient|UnknownOperation)Exception$/);
  }
});

test.each([
  [
    'without a signature',
    () => ({ ...port.signed('ListKeys', BODY), headers: { 'x-amz-target': 'TrentService.ListKeys' } }),
    'MissingAuthenticationTokenException',
  ],
  [
    'by a bearer token',
    () => ({ body: BODY, headers: { 'x-amz-target': 'TrentService.ListKeys', authorization: `Bearer ${port.token}` } }),
    'IncompleteSignatureException',
  ],
  ['for another region', () => port.signed('ListKeys', BODY, { region: 'eu-west-1' }), 'InvalidSignatureException'],
  ['for another service', () => port.signed('ListKeys', BODY, { service: 's3' }), 'InvalidSignatureException'],
  ['for the service of tokens', () => port.signed('ListKeys', BODY, { service: 'sts' }), 'InvalidSignatureException'],
  [
    'too long ago',
    () => port.signed('ListKeys', BODY, { at: Date.now() - 6 * MINUTE_MS }),
    'InvalidSignatureException',
  ],
  [
    'too far ahead',
    () => port.signed('ListKeys', BODY, { at: Date.now() + 6 * MINUTE_MS }),
    'InvalidSignatureException',
  ],
  [
    'with another secret',
    () => port.signed('ListKeys', BODY, { secretAccessKey: 'A'.repeat(43) }),
    'InvalidSignatureException',
  ],
  ['by nobody', () => port.signed('ListKeys', BODY, { accessKeyId: 'AKIDEXAMPLE' }), 'UnrecognizedClientException'],
  [
    'by a token that expired',
    () => port.signed('ListKeys', BODY, port.accessKeyOf(port.expiredToken)),
    'UnrecognizedClientException',
  ],
])('a request that is signed %s is refused', async (_, sent, type) => {
  expect(await port.send(sent())).toMatchObject({ status: 400, type });
});

test('an answer has an id and a date, and says its type', async () => {
  const { headers } = await port.call('ListKeys', {});
  expect(headers).toMatchObject({
    'content-type': 'application/x-amz-json-1.1',
    'x-amzn-requestid': expect.stringMatching(/^[\da-f-]{36}$/),
    date: expect.any(String),
  });
});

const FORM = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
const ask = (action: string, service = 'sts') =>
  port.send(port.sign(FORM, Buffer.from(`Action=${action}&Version=2011-06-15`), { service }));

test('who calls is told in the way of the Security Token Service, and nothing else is', async () => {
  const { status, text, headers } = await ask('GetCallerIdentity');
  expect([status, headers['content-type']]).toEqual([200, 'text/xml']);
  expect(text).toMatch(
    /<Arn>arn:aws:iam::(\d{12}):user\/[\da-f-]{36}<\/Arn><UserId>[\da-f-]{36}<\/UserId><Account>\1<\/Account>/,
  );
  expect((await ask('AssumeRole')).text).toContain('<Code>AccessDenied</Code>');
  expect((await ask('Nothing')).text).toContain('<Code>InvalidAction</Code>');
  expect((await ask('GetCallerIdentity', 'kms')).text).toContain('<Code>InvalidSignatureException</Code>');
});

test('a call leaves one event, of this interface, with the names of its context', async () => {
  port.events.length = 0;
  const context = { EncryptionContext: { for: 'secret' } };
  await port.call('Encrypt', { KeyId: port.keyId, Plaintext: 'YQ==', ...context });
  expect(port.events).toHaveLength(1);
  expect(port.events[0]).toMatchObject({ action: 'encrypt', result: 'success', context: { source: 'aws-kms' } });
  expect(JSON.stringify(port.events)).toContain('"for"');
  expect(JSON.stringify([port.events, port.lines])).not.toMatch(/secret|Signature=/);
});
