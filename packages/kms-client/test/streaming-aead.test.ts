import { describe, expect, test } from 'vitest';
import { SegmentBuffer } from '../src/envelope/segment-buffer.ts';
import {
  openBytes,
  openSegment,
  sealedBytes,
  type StreamParameters,
  streamHeaderBytes,
  streamKey,
} from '../src/envelope/streaming-aead.ts';
import { webSegmentCipher } from '../src/envelope/web-segment-cipher.ts';
import vectors from './tink-vectors.json' with { type: 'json' };

const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

async function streamOf(vector: (typeof vectors.vectors)[number]) {
  const parameters = vector.parameters as StreamParameters;
  const ciphertext = hex(vector.ciphertext);
  const headerBytes = streamHeaderBytes(parameters);
  const dataKey = await crypto.subtle.importKey('raw', hex(vector.key), 'HKDF', false, ['deriveBits']);
  const stream = await streamKey(
    parameters,
    dataKey,
    ciphertext.slice(0, headerBytes),
    hex(vector.associatedData),
    webSegmentCipher,
  );
  return { parameters, stream, body: ciphertext.subarray(headerBytes), headerBytes };
}

/** Cuts data into segments as the streams do. */
function segmentsOf(data: Uint8Array, sizeOf: (index: number) => number): Uint8Array<ArrayBuffer>[] {
  const buffer = new SegmentBuffer(sizeOf);
  // A segment is valid until the next one is asked for.
  return [...Array.from(buffer.push(data), (segment) => segment.slice()), buffer.last()];
}

describe('the published vectors of AES-GCM-HKDF streaming', () => {
  test.each(vectors.vectors)('$name: decrypts', async (vector) => {
    const { parameters, stream, body } = await streamOf(vector);
    const segments = segmentsOf(body, (index) => sealedBytes(parameters, index));
    const opened = await Promise.all(
      segments.map((segment, index) => openSegment(stream, segment, index, index === segments.length - 1)),
    );
    expect(Buffer.concat(opened).toString('utf8')).toBe(vector.plaintext);
  });

  test.each(vectors.vectors)('$name: encrypts to the same bytes', async (vector) => {
    const { parameters, stream, body } = await streamOf(vector);
    const segments = segmentsOf(Buffer.from(vector.plaintext), (index) => openBytes(parameters, index));
    const sealed = await Promise.all(
      segments.map(async (segment, index) =>
        stream.cipher.seal(stream.nonce(index, index === segments.length - 1), segment),
      ),
    );
    expect(Buffer.concat(sealed.flat()).toString('hex')).toBe(Buffer.from(body).toString('hex'));
  });
});
