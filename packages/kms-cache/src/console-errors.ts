import { AsyncLocalStorage } from 'node:async_hooks';

/** Who is told of the errors written to the console in the course of some work. */
const listener = new AsyncLocalStorage<(error: Error) => void>();
let isListening = false;

/**
 * Does work of a dependency that writes its errors to the console, stack traces and all, where it should return them,
 * as the Sentinel client does at every attempt. The named listener is told of them instead; what anyone else writes is
 * written.
 */
export function hearingConsoleErrors<T>(hear: (error: Error) => void, work: () => T): T {
  listen();
  return listener.run(hear, work);
}

function listen(): void {
  if (isListening) return;
  isListening = true;
  const { log } = console;
  // oxlint-disable-next-line no-console
  console.log = (...words: readonly unknown[]) => {
    const [error] = words;
    const hear = listener.getStore();
    if (hear !== undefined && words.length === 1 && error instanceof Error) hear(error);
    else log.apply(console, [...words]);
  };
}
