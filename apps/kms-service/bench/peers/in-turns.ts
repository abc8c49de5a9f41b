/** What `make` makes, that many times, one after another. */
export async function many<T>(count: number, make: (index: number) => Promise<T>): Promise<readonly T[]> {
  const made: T[] = [];
  for (let index = 0; index < count; index += 1) made.push(await make(index));
  return made;
}

/** Gives one request after the other, and begins again after the last. */
export function inTurns(requests: readonly Buffer[]): () => Buffer {
  let next = 0;
  return () => {
    const request = requests[next % requests.length];
    next += 1;
    if (request === undefined) throw new RangeError('there is at least one request');
    return request;
  };
}
