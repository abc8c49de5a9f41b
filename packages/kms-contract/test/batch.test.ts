import { describe, expect, it } from 'vitest';
import { EXAMPLE } from '../src/answers/examples.ts';
import { ALL_ROUTES, type BatchItem, bodyLimit, isBatch, parseBatch, type Route, ROUTES } from '../src/index.ts';

const { keyId, otherKeyId } = EXAMPLE;
const params = { keyId };

function bodyOf<R extends Route>(item: BatchItem<R> | undefined): unknown {
  if (item === undefined || 'error' in item) throw new Error('the item was refused', { cause: item });
  return item.body;
}

function codeOf<R extends Route>(item: BatchItem<R> | undefined): string {
  return item !== undefined && 'error' in item ? item.error.code : 'accepted';
}

describe('batches', () => {
  it('are a form of every crypto operation and of nothing else', () => {
    const crypto = ALL_ROUTES.filter((route) => isBatch(route, { items: [] })).map(({ operationId }) => operationId);
    expect(crypto.toSorted()).toEqual(
      [
        'encrypt',
        'decrypt',
        'reencrypt',
        'sign',
        'verify',
        'wrap',
        'unwrap',
        'createDataKey',
        'mac',
        'verifyMac',
        'encapsulate',
        'decapsulate',
        'derive',
      ].toSorted(),
    );
    expect(isBatch(ROUTES.encrypt, { plaintext: '' })).toBe(false);
    expect(isBatch(ROUTES.encrypt, undefined)).toBe(false);
    expect(isBatch(ROUTES.encrypt, Object.create({ items: [] }))).toBe(false);
  });

  it('take the documented example of each operation as an item', () => {
    for (const route of ALL_ROUTES.filter(({ crypto }) => crypto !== undefined)) {
      const items = parseBatch(route, { params, body: { items: [route.example.body, route.example.body] } });
      expect(items.map(codeOf), route.operationId).toEqual(['accepted', 'accepted']);
    }
  });

  it('keep their order and let a bad item fail alone', () => {
    const items = parseBatch(ROUTES.encrypt, {
      params,
      body: {
        items: [
          { plaintext: 'aGk=' },
          { plaintext: '!' },
          null,
          'text',
          { plaintext: Buffer.alloc(65_537).toString('base64') },
          { plaintext: 'aGk=', keyId: otherKeyId },
          { plaintext: 'aGk=', plaintextB64: 'aGk=' },
          { plaintext: 'aGV5' },
        ],
      },
    });
    expect(items.map(codeOf)).toEqual([
      'accepted',
      'BAD_REQUEST',
      'BAD_REQUEST',
      'BAD_REQUEST',
      'PAYLOAD_TOO_LARGE',
      'BAD_REQUEST',
      'BAD_REQUEST',
      'accepted',
    ]);
    expect(bodyOf(items[7])).toEqual({ keyId, plaintext: Buffer.from('hey') });
  });

  it('say where within the item something is wrong', () => {
    const [item] = parseBatch(ROUTES.encrypt, { params, body: { items: [{ plaintext: '!', context: { a: 1 } }] } });
    expect(item).toMatchObject({ error: { details: { issues: [{ path: 'plaintext' }, { path: 'context.a' }] } } });
  });

  it('read each item under the names that it uses', () => {
    const items = parseBatch(ROUTES.wrap, {
      params,
      body: { items: [{ dataKey: 'aGk=' }, { plaintextB64: 'aGk=' }, { plaintextBase64: 'aGk=' }] },
    });
    expect(items.map((item) => ('error' in item ? 'error' : item.naming))).toEqual([
      'canonical',
      'b64-suffix',
      'base64-suffix',
    ]);
    expect(new Set(items.map((item) => JSON.stringify(bodyOf(item)))).size).toBe(1);
  });

  it('take their key from the item, the batch or the path', () => {
    const items = [{ plaintext: 'aGk=' }, { plaintext: 'aGk=', keyId: otherKeyId }];
    expect(parseBatch(ROUTES.encrypt, { body: { keyId, items } }).map(bodyOf)).toMatchObject([
      { keyId },
      { keyId: otherKeyId },
    ]);
    expect(parseBatch(ROUTES.encrypt, { body: { items } }).map(codeOf)).toEqual(['BAD_REQUEST', 'accepted']);
    expect(
      parseBatch(ROUTES.encrypt, { params, body: { keyId: otherKeyId, items: [{ plaintext: 'aGk=' }] } }).map(codeOf),
    ).toEqual(['BAD_REQUEST']);
    expect(
      parseBatch(ROUTES.reencrypt, { params, body: { keyId: otherKeyId, items: [{ ciphertext: 'AAAA' }] } }).map(
        bodyOf,
      ),
    ).toMatchObject([{ sourceKeyId: keyId, destinationKeyId: otherKeyId }]);
  });

  it.each<[string, unknown]>([
    ['no items', { items: [] }],
    ['more than a thousand items', { items: Array.from({ length: 1001 }, () => ({ plaintext: 'aGk=' })) }],
    ['items that are no list', { items: { 0: {} } }],
    ['something beside the items', { items: [{ plaintext: 'aGk=' }], plaintext: 'aGk=' }],
    ['a key that is no UUID', { items: [{ plaintext: 'aGk=' }], keyId: 'orders' }],
    ['a batch in a batch', { items: [{ plaintext: 'aGk=' }], batch: [] }],
  ])('refuse %s', (_, body) => {
    expect(() => parseBatch(ROUTES.encrypt, { params, body })).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
  });

  it('refuse a batch within an item', () => {
    expect(
      parseBatch(ROUTES.encrypt, { params, body: { items: [{ items: [{ plaintext: 'aGk=' }] }] } }).map(codeOf),
    ).toEqual(['BAD_REQUEST']);
  });

  it('take a thousand items and one', () => {
    const items = Array.from({ length: 1000 }, () => ({ plaintext: 'aGk=' }));
    expect(parseBatch(ROUTES.encrypt, { params, body: { items } })).toHaveLength(1000);
    expect(parseBatch(ROUTES.encrypt, { params, body: { items: items.slice(0, 1) } })).toHaveLength(1);
  });

  it('name nothing on a path whose id is no UUID', () => {
    expect(() =>
      parseBatch(ROUTES.encrypt, { params: { keyId: 'x' }, body: { items: [{ plaintext: 'aGk=' }] } }),
    ).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });

  it('may have a body of 8 MiB where others have 1 MiB', () => {
    expect(bodyLimit(ROUTES.encrypt)).toBe(8 * 1024 * 1024);
    expect(bodyLimit(ROUTES.createKey)).toBe(1024 * 1024);
  });
});
