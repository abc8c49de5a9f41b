import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** This much may pass between two collections, in bytes. */
const BETWEEN = 16 * 2 ** 20;

/**
 * Frees the buffers that a stream of data left behind each time 16 MiB have passed, and passes the progress on. Each
 * segment is a new buffer outside V8's heap, and V8 on its own lets some hundred MiB of them accumulate before it
 * looks.
 *
 * @param onProgress called with the number of bytes done
 */
export function freeingPassedBuffers(onProgress: (bytes: number) => void): (bytes: number) => void {
  setFlagsFromString('--expose-gc');
  // V8 provides the function to contexts created after the flag was set; it takes a kind of collection.
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;
  let next = BETWEEN;
  return (bytes) => {
    onProgress(bytes);
    if (bytes < next) return;
    next = bytes + BETWEEN;
    collect({ type: 'minor' });
  };
}
