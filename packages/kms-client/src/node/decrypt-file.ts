import { concatenate } from '../envelope/context-digest.ts';
import type { DataKeySource } from '../envelope/data-keys.ts';
import {
  type DecryptOptions,
  FIXED_BYTES,
  prefixBytes,
  requirePrefix,
  segmentBytes,
  startOpening,
} from '../envelope/opener.ts';
import { type ByteSource, type FilePaths, withEnds } from './byte-ends.ts';
import { nodeSegmentCipher } from './node-segment-cipher.ts';
import { sourceSegments } from './source-segments.ts';
import { writingBehind } from './write-behind.ts';

export async function decryptFile(dataKeys: DataKeySource, options: DecryptOptions & FilePaths): Promise<void> {
  await withEnds(options, async (source, sink) => {
    const prefix = await readPrefix(source);
    const opener = await startOpening(dataKeys, prefix, options, nodeSegmentCipher);
    await writingBehind(sink, async (writer) => {
      let done = prefix.length;
      for await (const { data, isLast } of sourceSegments(source, segmentBytes)) {
        await writer.write([await opener.open(data, isLast)]);
        options.onProgress?.((done += data.length));
      }
    });
  });
}

async function readPrefix(source: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  const start = await readFully(source, FIXED_BYTES);
  requirePrefix(start, FIXED_BYTES);
  const wanted = prefixBytes(start);
  const rest = await readFully(source, wanted - FIXED_BYTES);
  const prefix = concatenate([start, rest]);
  requirePrefix(prefix, wanted);
  return prefix;
}

/** So many bytes, or as many as there are. */
async function readFully(source: ByteSource, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(length);
  return buffer.subarray(0, await source.read(buffer, length));
}
