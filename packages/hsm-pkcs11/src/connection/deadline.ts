/** What was waited for did not arrive in time. */
export class DeadlinePassed extends Error {
  constructor() {
    super('The deadline of the call has passed.');
    this.name = 'DeadlinePassed';
  }
}

/** Waits for a promise, but not forever; a later result is dropped. */
export async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlinePassed()), Math.max(0, limitMs));
  });
  try {
    return await Promise.race([promise, passed]);
  } finally {
    clearTimeout(timer);
  }
}
