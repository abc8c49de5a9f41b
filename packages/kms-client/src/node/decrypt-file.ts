import { type FileHandle, open } from 'node:fs/promises';
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
import { writeAtomically } from './atomic-file.ts';
import { type FilePaths, writeBehind } from './encrypt-file.ts';
import { fileSegments, readFully } from './file-segments.ts';
import { nodeSegmentCipher } from './node-segment-cipher.ts';

export async function decryptFile(dataKeys: DataKeySource, options: DecryptOptions & FilePaths): Promise<void> {
  const { source, destination, overwrite = false, onProgress } = options;
  const input = await open(source, 'r');
  try {
    await writeAtomically(destination, overwrite, async (output) => {
      const prefix = await readPrefix(input);
      const opener = await startOpening(dataKeys, prefix, options, nodeSegmentCipher);
      const writer = writeBehind(output);
      let done = prefix.length;
      for await (const { data, isLast } of fileSegments(input, segmentBytes)) {
        await writer.write([await opener.open(data, isLast)]);
        onProgress?.((done += data.length));
      }
      await writer.end();
    });
  } finally {
    await input.close();
  }
}

async function readPrefix(input: FileHandle): Promise<Uint8Array<ArrayBuffer>> {
  const start = await readFully(input, new Uint8Array(FIXED_BYTES));
  requirePrefix(start, FIXED_BYTES);
  const wanted = prefixBytes(start);
  const rest = await readFully(input, new Uint8Array(wanted - FIXED_BYTES));
  const prefix = concatenate([start, rest]);
  requirePrefix(prefix, wanted);
  return prefix;
}
