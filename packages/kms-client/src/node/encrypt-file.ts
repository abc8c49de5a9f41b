import type { DataKeySource } from '../envelope/data-keys.ts';
import { type EncryptOptions, plaintextBytes, startSealing } from '../envelope/sealer.ts';
import { type FilePaths, withEnds } from './byte-ends.ts';
import { nodeSegmentCipher } from './node-segment-cipher.ts';
import { sourceSegments } from './source-segments.ts';
import { writingBehind } from './write-behind.ts';

export async function encryptFile(dataKeys: DataKeySource, options: EncryptOptions & FilePaths): Promise<void> {
  await withEnds(options, async (source, sink) => {
    const sealer = await startSealing(dataKeys, options, nodeSegmentCipher);
    await sink.write(sealer.header);
    await writingBehind(sink, async (writer) => {
      let done = 0;
      for await (const { data, isLast } of sourceSegments(source, plaintextBytes)) {
        await writer.write(await sealer.seal(data, isLast));
        options.onProgress?.((done += data.length));
      }
    });
  });
}
