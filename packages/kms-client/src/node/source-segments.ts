import type { ByteSource } from './byte-ends.ts';

/** A part of what a source gives, and whether nothing follows it. */
export interface SourceSegment {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly isLast: boolean;
}

/** One is worked on, the next shows whether that is the last, and the one after it is read at the same time. */
const BUFFERS = 3;

/**
 * Reads a source segment by segment, ahead of the work on them. A segment comes as soon as the first byte after
 * it does. Its data is valid only until the next one is asked for.
 */
export async function* sourceSegments(
  source: ByteSource,
  sizeOf: (index: number) => number,
): AsyncGenerator<SourceSegment, void, void> {
  const buffers = Array.from({ length: BUFFERS }, () => new Uint8Array(Math.max(sizeOf(0), sizeOf(1))));
  let after: Filling | undefined;
  const fillNext = (index: number): Filling => {
    const buffer = buffers[index % BUFFERS] ?? new Uint8Array();
    return (after = fill(source, buffer.subarray(0, sizeOf(index)), after));
  };
  let current = fillNext(0);
  const ahead = [fillNext(1), fillNext(2)];
  for (let index = 0; ; index += 1) {
    const data = await current.data;
    const next = ahead.shift();
    const isLast = next === undefined || (await next.begun) === 0;
    yield { data, isLast };
    if (isLast) return;
    current = next;
    ahead.push(fillNext(index + BUFFERS));
  }
}

/** A buffer that is being filled. */
interface Filling {
  /** How much came first; nothing only if nothing is left. */
  readonly begun: Promise<number>;
  /** All of it: less than the buffer only at the end. */
  readonly data: Promise<Uint8Array<ArrayBuffer>>;
  readonly isFull: Promise<boolean>;
}

/** @param after what is read before it; nothing follows what is not full */
function fill(source: ByteSource, buffer: Uint8Array<ArrayBuffer>, after: Filling | undefined): Filling {
  const begin = async () => {
    if (after !== undefined && !(await after.isFull)) return 0;
    return source.read(buffer, 1);
  };
  const complete = async () => {
    const first = await begun;
    if (first === 0 || first === buffer.length) return buffer.subarray(0, first);
    const rest = buffer.subarray(first);
    return buffer.subarray(0, first + (await source.read(rest, rest.length)));
  };
  const begun = begin();
  const data = complete();
  const isFull = data.then(({ length }) => length === buffer.length);
  // They are awaited later, or not at all when the work has failed; a failure must not count as unhandled.
  for (const each of [begun, data, isFull]) each.catch(() => undefined);
  return { begun, data, isFull };
}
