import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AWS_OPERATIONS } from '../src/operations/catalog.ts';
import type { Member } from '../src/request/shapes.ts';
import { awsPort } from './aws-port.ts';

let port: Awaited<ReturnType<typeof awsPort>>;
beforeAll(async () => {
  port = await awsPort();
});
afterAll(() => port.stop());

const base64 = (length: number) => Buffer.alloc(length, 1).toString('base64');

/** A value of a member that is right, as far as its shape goes. */
function rightOf(member: Member): unknown {
  switch (member.kind) {
    case 'text':
      return member.values?.[0] ?? 'a'.repeat(Math.max(1, member.min ?? 1));
    case 'blob':
      return base64(member.min);
    case 'whole':
      return member.min;
    case 'flag':
      return false;
    case 'context':
      return { a: 'b' };
    case 'list':
      return [];
    case 'any':
      return [];
  }
}

interface Wrong {
  readonly value: unknown;
  readonly type: 'ValidationException' | 'SerializationException';
  readonly says: string;
}

/** Values that a member must not have, and what AWS says of them. */
function wrongOf(member: Member): readonly Wrong[] {
  const violated = (value: unknown, says: string): Wrong => ({ value, type: 'ValidationException', says });
  const ofAnotherType = (value: unknown): Wrong => ({ value, type: 'SerializationException', says: '' });
  switch (member.kind) {
    case 'text': {
      const { min, max, values } = member;
      return [
        ...[7, true, ['a'], { a: 1 }].map(ofAnotherType),
        ...(values === undefined
          ? []
          : [violated('NOTHING', `Member must satisfy enum value set: [${values.join(', ')}]`)]),
        ...(max === undefined
          ? []
          : [violated('a'.repeat(max + 1), `Member must have length less than or equal to ${max}`)]),
        ...(min === undefined ? [] : [violated('', `Member must have length greater than or equal to ${min}`)]),
      ];
    }
    case 'blob': {
      const { min, max } = member;
      return [
        ...[7, 'not base64!', 'YQ', {}].map(ofAnotherType),
        violated('', `Member must have length greater than or equal to ${min}`),
        violated(base64(max + 1), `Member must have length less than or equal to ${max}`),
      ];
    }
    case 'whole': {
      const { min, max } = member;
      return [
        ...['1', 1.5, true, 1e300, []].map(ofAnotherType),
        violated(min - 1, `Member must have value greater than or equal to ${min}`),
        violated(max + 1, `Member must have value less than or equal to ${max}`),
      ];
    }
    case 'flag':
      return ['true', 1, []].map(ofAnotherType);
    case 'context':
      return ['a', [], { a: 1 }, { a: null }].map(ofAnotherType);
    case 'list':
      return ['a', [7], {}].map(ofAnotherType);
    case 'any':
      return [];
  }
}

describe.each([...AWS_OPERATIONS.values()])('$action', ({ action, members }) => {
  const right = Object.fromEntries(
    Object.entries(members).flatMap(([name, member]) => (member.required ? [[name, rightOf(member)]] : [])),
  );

  test('names each constraint that a member does not meet, in the words of AWS', async () => {
    for (const [name, member] of Object.entries(members)) {
      const path = name.charAt(0).toLowerCase() + name.slice(1);
      for (const { value, type, says } of wrongOf(member)) {
        const answer = await port.call(action, { ...right, [name]: value });
        expect([name, value, answer.status, answer.type]).toEqual([name, value, 400, type]);
        if (type === 'SerializationException') continue;
        expect(answer.message).toMatch(/^1 validation error detected: Value /);
        expect(answer.message).toContain(`at '${path}' failed to satisfy constraint: ${says}`);
      }
      if (!member.required) continue;
      for (const missing of [undefined, null])
        expect(await port.call(action, { ...right, [name]: missing })).toMatchObject({
          status: 400,
          type: 'ValidationException',
          message: `1 validation error detected: Value null at '${path}' failed to satisfy constraint: Member must not be null`,
        });
    }
  });

  test('answers whatever JSON it is sent, and never with a fault of its own', async () => {
    const names = Object.keys(members);
    const member = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(...Object.values(members).map(rightOf), port.keyId),
    );
    const body = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.dictionary(fc.constantFrom(...names, '__proto__', 'constructor'), member, { maxKeys: 6 }),
      },
      { weight: 1, arbitrary: fc.jsonValue() },
    );
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        const { status, type } = await port.call(action, JSON.stringify(sent));
        expect([200, 400]).toContain(status);
        if (status !== 200) expect(type).toMatch(/Exception$/);
      }),
      { numRuns: 25 },
    );
  });
});

test('several constraints are told at once', async () => {
  const { message } = await port.call('GenerateRandom', { NumberOfBytes: 1025, CustomKeyStoreId: '' });
  expect(message).toBe(
    "2 validation errors detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024; Value '' at 'customKeyStoreId' failed to satisfy constraint: Member must have length greater than or equal to 1",
  );
});

test('names that mean something elsewhere are names of a context, or refused', async () => {
  const context = { constructor: 'b', toString: 'c' };
  const sealed = await port.call('Encrypt', { KeyId: port.keyId, Plaintext: 'YQ==', EncryptionContext: context });
  const { CiphertextBlob } = JSON.parse(sealed.text) as { CiphertextBlob: string };
  const open = (EncryptionContext: object) => port.call('Decrypt', { CiphertextBlob, EncryptionContext });
  expect((await open(context)).status).toBe(200);
  for (const other of [{ constructor: 'b' }, { ...context, constructor: 'c' }, {}])
    expect((await open(other)).type).toBe('InvalidCiphertextException');
  const sent = `{"KeyId":"${port.keyId}","Plaintext":"YQ==","EncryptionContext":{"__proto__":"a"}}`;
  expect(await port.call('Encrypt', sent)).toMatchObject({ type: 'ValidationException' });
});

test.each([
  ['no JSON', '{"KeyId"', 'SerializationException'],
  ['a list', '[]', 'SerializationException'],
  ['a text', '"a"', 'SerializationException'],
  ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'SerializationException'],
])('a body that is %s is refused', async (_, body, type) => {
  const sent = Buffer.from(body as string);
  expect(await port.send(port.signed('Encrypt', sent))).toMatchObject({ status: 400, type });
});

test.each([
  [{ 'x-amz-target': 'TrentService.Nothing' }, 'UnknownOperationException'],
  [{ 'x-amz-target': 'DynamoDB.Encrypt' }, 'UnknownOperationException'],
  [{}, 'UnknownOperationException'],
  [{ 'x-amz-target': 'TrentService.CreateGrant' }, 'UnsupportedOperationException'],
])('a request for %j is refused', async (named, type) => {
  const headers = { 'content-type': 'application/x-amz-json-1.1', ...named };
  expect(await port.send(port.sign(headers, Buffer.from('{}')))).toMatchObject({ status: 400, type });
});

test('a body of another type is refused', async () => {
  const headers = { 'content-type': 'text/plain', 'x-amz-target': 'TrentService.ListKeys' };
  expect(await port.send(port.sign(headers, Buffer.from('{}')))).toMatchObject({ type: 'SerializationException' });
});
