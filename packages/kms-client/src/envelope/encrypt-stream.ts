import { invalidArgument } from '../errors/kms-client-error.ts';
import { abortableStream } from './abortable-stream.ts';
import type { DataKeySource } from './data-keys.ts';
import { type EncryptOptions, plaintextBytes, type Sealer, startSealing } from './sealer.ts';
import { SegmentBuffer } from './segment-buffer.ts';
import type { MakeSegmentCipher } from './streaming-aead.ts';

/** A stream that encrypts what goes through it. The data key is requested when the first data arrives. */
export function encryptStream(
  dataKeys: DataKeySource,
  options: EncryptOptions,
  makeCipher: MakeSegmentCipher,
): TransformStream<Uint8Array, Uint8Array> {
  const buffer = new SegmentBuffer(plaintextBytes);
  let sealer: Sealer | undefined;
  const start = async (controller: TransformStreamDefaultController<Uint8Array>): Promise<Sealer> => {
    if (sealer !== undefined) return sealer;
    sealer = await startSealing(dataKeys, options, makeCipher);
    controller.enqueue(sealer.header);
    return sealer;
  };
  return abortableStream(options.signal, {
    async transform(chunk, controller) {
      requireBytes(chunk);
      const started = await start(controller);
      for (const segment of buffer.push(chunk))
        for (const piece of await started.seal(segment, false)) controller.enqueue(piece);
    },
    async flush(controller) {
      const started = await start(controller);
      for (const piece of await started.seal(buffer.last(), true)) if (piece.length > 0) controller.enqueue(piece);
    },
  });
}

/** JavaScript callers may send text, which has many encodings. */
export function requireBytes(chunk: unknown): void {
  if (!(chunk instanceof Uint8Array)) throw invalidArgument('The stream must give Uint8Arrays.');
}
