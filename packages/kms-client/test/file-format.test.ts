import { createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createEnvelope, type DataKeyService } from '../src/envelope/index.ts';
import { createFileEnvelope } from '../src/node/index.ts';
import fixture from './sealed-file.json' with { type: 'json' };

/** Written from docs/file-format.md alone: it shares nothing with the client, and a change of the format breaks it. */
function decode(
  data: Buffer,
  context: Readonly<Record<string, string>>,
  dataKeyOf: (wrapped: Buffer) => Buffer,
): Buffer {
  if (data.subarray(0, 9).toString('latin1') !== 'QNSPENV\x01\x01') throw new Error('not this format');
  const wrappedBytes = data.readUInt16BE(57);
  const header = data.subarray(0, 59 + wrappedBytes);
  if (!header.subarray(25, 57).equals(digestOf(context))) throw new Error('another context');
  let rest = data.subarray(header.length);
  if (rest[0] !== 40) throw new Error('damaged');
  const [salt, prefix] = [rest.subarray(1, 33), rest.subarray(33, 40)];
  const info = createHash('sha256').update(header).digest();
  const key = Buffer.from(hkdfSync('sha256', dataKeyOf(header.subarray(59)), salt, info, 32));
  rest = rest.subarray(40);
  const opened: Buffer[] = [];
  for (let index = 0; ; index += 1) {
    const segment = rest.subarray(0, 2 ** 20 - (index === 0 ? 40 : 0));
    rest = rest.subarray(segment.length);
    const isLast = rest.length === 0;
    const tail = Buffer.alloc(5);
    tail.writeUInt32BE(index);
    tail.writeUInt8(isLast ? 1 : 0, 4);
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.concat([prefix, tail]));
    decipher.setAuthTag(segment.subarray(-16));
    opened.push(decipher.update(segment.subarray(0, -16)), decipher.final());
    if (isLast) return Buffer.concat(opened);
  }
}

function digestOf(context: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(context).map((entry) => entry.map((text) => Buffer.from(text)));
  entries.sort(([a = Buffer.alloc(0)], [b = Buffer.alloc(0)]) => Buffer.compare(a, b));
  const parts = [uint32(entries.length), ...entries.flat().flatMap((part) => [uint32(part.length), part])];
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const sealed = Buffer.from(fixture.sealed, 'base64');
const dataKey = Buffer.from(fixture.dataKey, 'base64');

/** Gives the data key of the file to whoever asks for it as the page says. */
function serviceOf(key: Buffer, wrappedKey: Buffer, keyId: string): DataKeyService {
  const expectLabel = (associatedData: Uint8Array | undefined, context: Buffer) => {
    expect(Buffer.from(associatedData ?? [])).toEqual(Buffer.concat([Buffer.from('qnsp-kms/envelope/v1'), context]));
  };
  return {
    createDataKey: async ({ associatedData }) => {
      expectLabel(associatedData, Buffer.from(associatedData ?? []).subarray(20));
      return { dataKey: Uint8Array.from(key), wrappedKey: Uint8Array.from(wrappedKey), keyId, keyVersion: 1 } as never;
    },
    unwrap: async (input) => {
      expectLabel(input.associatedData, digestOf(fixture.context));
      expect(input).toMatchObject({ keyId, wrappedKey: Uint8Array.from(wrappedKey) });
      return { dataKey: Uint8Array.from(key), keyId } as never;
    },
  };
}

describe('the file in the repository', () => {
  test('is what the page says', () => {
    expect(decode(sealed, fixture.context, () => dataKey).toString()).toBe(fixture.plaintext);
    expect(() => decode(sealed, {}, () => dataKey)).toThrow('another context');
    const changed = Buffer.from(sealed);
    changed[9] = (changed[9] ?? 0) ^ 1;
    expect(() => decode(changed, fixture.context, () => dataKey)).toThrow();
  });

  test.each([createEnvelope, createFileEnvelope])('is opened by %o', async (make) => {
    const wrapped = sealed.subarray(59, 59 + sealed.readUInt16BE(57));
    const envelope = make(serviceOf(dataKey, wrapped, fixture.keyId));
    const opened = await envelope.decrypt(sealed, { context: fixture.context, keyId: fixture.keyId });
    expect(Buffer.from(opened).toString()).toBe(fixture.plaintext);
  });
});

describe('what the client writes', () => {
  const FIRST = 1_048_520;
  test.each([0, 1, FIRST, FIRST + 1, FIRST + 1_048_560, FIRST + 1_048_560 + 1])(
    'of %i bytes is what the page says',
    async (length) => {
      const plaintext = randomBytes(length);
      const key = randomBytes(32);
      const wrappedKey = randomBytes(99);
      const context = { b: '2', ä: '1', a: '', '\u{1F511}': 'key', '\uFFFD': 'x' };
      for (const make of [createEnvelope, createFileEnvelope]) {
        const envelope = make(serviceOf(key, wrappedKey, fixture.keyId));
        const data = Buffer.from(await envelope.encrypt(plaintext, { keyId: fixture.keyId, context }));
        expect(data.subarray(9, 25).toString('hex')).toBe(fixture.keyId.replaceAll('-', ''));
        const opened = decode(data, context, (wrapped) => {
          expect(wrapped.equals(wrappedKey)).toBe(true);
          return key;
        });
        expect(Buffer.compare(opened, plaintext)).toBe(0);
      }
    },
  );
});

test('the page names the numbers of the code', () => {
  const page = readFileSync(new URL('../../../docs/file-format.md', import.meta.url), 'utf8');
  for (const fact of ['`QNSPENV`', 'qnsp-kms/envelope/v1', 'AES256_GCM_HKDF_1MB', '16,384', '1,048,520', '1,048,560'])
    expect(page).toContain(fact);
});
