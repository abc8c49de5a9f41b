import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** So much may go through between two collections, in bytes. */
const BETWEEN = 16 * 2 ** 20;

/**
 * Frees the buffers that a stream of data left behind each time that 16 MiB went through, and tells the progress on. Each segment
 * is a new buffer outside of V8's heap, and V8 by itself lets some hundred MiB of them gather before it looks.
 *
 * @param onProgress is told how many bytes are done
 */
export function boundedGarbage(onProgress: (bytes: number) => void): (bytes: number) => void {
  setFlagsFromString('--expose-gc');
  // V8 gives the function to contexts that are made after the flag was set; it takes a kind of collection.
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;
  let next = BETWEEN;
  return (bytes) => {
    onProgress(bytes);
    if (bytes < next) return;
    next = bytes + BETWEEN;
    collect({ type: 'minor' });
  };
}
