import { readFileSync } from 'node:fs';
import {
  ALL_ROUTES,
  encodeRequest,
  ERROR_CODES,
  isBatch,
  LIMITS,
  type OperationId,
  ROUTES,
  type RouteOf,
  type ResponseOf,
} from '@qnsp/kms-contract';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { generatedFiles } from '../scripts/generated-files.ts';
import { BATCH_LIMITS, OPERATIONS } from '../src/generated/operations.ts';
import type { KmsErrorCode, KmsOperations } from '../src/index.ts';
import type { Operation } from '../src/generated/operations.ts';
import { encodeCall, type Input } from '../src/wire/encode-call.ts';

/** Formatting apart, which Biome does after the files are written. */
const tokens = (text: string) => text.replaceAll(/[\s;,()|'"]|\/?\*+\/?/g, '');

describe('the generated files', () => {
  test.each(Object.entries(generatedFiles()))(
    '%s is as the contract has it; if not, run "npm run generate" in this package',
    (name, text) => {
      const committed = readFileSync(new URL(`../src/generated/${name}`, import.meta.url), 'utf8');
      expect(tokens(committed)).toBe(tokens(text));
    },
  );

  test('name the limits, the operations and the errors of the contract', () => {
    expect(Object.keys(OPERATIONS)).toEqual(ALL_ROUTES.map(({ operationId }) => operationId));
    expect(BATCH_LIMITS).toEqual({ items: LIMITS.batchItems, bytes: LIMITS.batchBodyBytes });
    const codes: readonly KmsErrorCode[] = ERROR_CODES;
    expect(codes).toHaveLength(ERROR_CODES.length);
  });
});

describe('the types', () => {
  type Answer<Id extends OperationId> = AnyReason<Awaited<ReturnType<KmsOperations[Id]>>>;
  /** The document lists the reasons of a revocation, the schema takes any text. */
  type AnyReason<T> = T extends Uint8Array
    ? T
    : T extends readonly (infer Item)[]
      ? readonly AnyReason<Item>[]
      : T extends object
        ? { readonly [Name in keyof T]: Name extends 'reason' ? string : AnyReason<T[Name]> }
        : T;
  /** The operations whose answer in the contract is not what the client's type says. */
  type Different = {
    [Id in OperationId]: ResponseOf<Id> extends Answer<Id> ? never : Id;
  }[OperationId];

  test('of answers fit what the contract says comes', () => {
    expectTypeOf<Different>().toEqualTypeOf<never>();
    expectTypeOf<keyof KmsOperations>().toEqualTypeOf<OperationId>();
  });
});

/** Where the contract has two addresses, the one that gateways lead to as well. */
const BELOW_BASE_PATH: Readonly<Record<string, string>> = {
  getHealth: '/kms/v1/health',
  getOpenApi: '/kms/v1/openapi.json',
};

describe('a call', () => {
  const keyId = '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091';
  const ids: Readonly<Record<string, string>> = {
    keyId,
    tokenId: keyId,
    bindingId: keyId,
    migrationId: keyId,
    denialId: keyId,
    approvalId: keyId,
    tenantId: keyId,
    eventId: keyId,
  };

  test.each(ALL_ROUTES.filter(({ contentType = 'application/json' }) => contentType === 'application/json'))(
    '$operationId goes over the wire as the contract encodes it',
    (route) => {
      const operation: Operation = OPERATIONS[route.operationId as OperationId];
      const params = Object.fromEntries(
        [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, ids[name]]),
      );
      const example = { ...route.example.query, ...route.example.body };
      const bytes = Object.fromEntries(
        (operation.bytes ?? [])
          .filter((name) => name in example)
          .map((name) => [name, Buffer.from(String(example[name]), 'base64')]),
      );
      const keyField = operation.keyField === undefined ? {} : { [operation.keyField]: keyId };
      const input: Input = { ...example, ...bytes, ...(route.crypto === undefined ? params : keyField) };
      const encoded = encodeCall(operation, input);
      const parsedBody = route.body.parse({ ...route.example.body, ...(route.crypto === undefined ? {} : keyField) });
      const expected = encodeRequest(route as RouteOf<'encrypt'>, {
        params: params as never,
        query: route.query.parse(route.example.query ?? {}) as never,
        body: parsedBody as never,
      });
      expect(encoded.method).toBe(expected.method);
      const url = new URL(encoded.target, 'http://service');
      expect(url.pathname).toBe(BELOW_BASE_PATH[route.operationId] ?? expected.path);
      expect(Object.fromEntries(url.searchParams)).toEqual(expected.query);
      const sent: unknown = encoded.body === undefined ? undefined : JSON.parse(encoded.body);
      // Spellings that the contract brings to one form may differ: the service takes both.
      expect(route.body.safeParse(sent ?? {}).data).toEqual(route.body.safeParse(expected.body ?? {}).data);
      expect(isBatch(ROUTES.encrypt, sent)).toBe(false);
    },
  );

  test('to a path takes nothing but a UUID for an id', () => {
    for (const bad of ['..', '', 'a/b', '../tokens', `${keyId}?`, undefined, 7, '%2e%2e'])
      expect(() => encodeCall(OPERATIONS.getKey, { keyId: bad })).toThrow('keyId must be a UUID.');
  });

  test('takes bytes as Uint8Array only', () => {
    for (const bad of ['aGk=', [1, 2], new ArrayBuffer(2), null])
      expect(() => encodeCall(OPERATIONS.encrypt, { keyId, plaintext: bad })).toThrow(
        'plaintext must be a Uint8Array.',
      );
  });

  test('refuses a parameter that its query does not have', () => {
    expect(() => encodeCall(OPERATIONS.listKeys, { limits: 3 })).toThrow('There is no parameter "limits".');
  });
});
