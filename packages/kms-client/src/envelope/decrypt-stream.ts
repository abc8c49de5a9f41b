import { abortableStream } from './abortable-stream.ts';
import { concatenate } from './context-digest.ts';
import type { DataKeySource } from './data-keys.ts';
import { requireBytes } from './encrypt-stream.ts';
import {
  type DecryptOptions,
  FIXED_BYTES,
  type Opener,
  prefixBytes,
  requirePrefix,
  segmentBytes,
  startOpening,
} from './opener.ts';
import { SegmentBuffer } from './segment-buffer.ts';
import type { MakeSegmentCipher } from './streaming-aead.ts';

/** A stream that decrypts what goes through it. */
export function decryptStream(
  dataKeys: DataKeySource,
  options: DecryptOptions,
  makeCipher: MakeSegmentCipher,
): TransformStream<Uint8Array, Uint8Array> {
  const buffer = new SegmentBuffer(segmentBytes);
  let prefix = new Uint8Array();
  let opener: Opener | undefined;

  /** Collects what comes before the first segment; returns what follows it. */
  const start = async (chunk: Uint8Array): Promise<Uint8Array> => {
    prefix = concatenate([prefix, chunk]);
    const wanted = prefix.length < FIXED_BYTES ? undefined : prefixBytes(prefix);
    if (wanted === undefined || prefix.length < wanted) return new Uint8Array();
    const rest = prefix.subarray(wanted);
    opener = await startOpening(dataKeys, prefix.slice(0, wanted), options, makeCipher);
    return rest;
  };

  return abortableStream(options.signal, {
    async transform(chunk, controller) {
      requireBytes(chunk);
      const rest = opener === undefined ? await start(chunk) : chunk;
      if (opener === undefined) return;
      for (const segment of buffer.push(rest)) controller.enqueue(await opener.open(segment, false));
    },
    async flush(controller) {
      if (opener === undefined) return requirePrefix(prefix, Number.POSITIVE_INFINITY);
      const plaintext = await opener.open(buffer.last(), true);
      if (plaintext.length > 0) controller.enqueue(plaintext);
    },
  });
}
