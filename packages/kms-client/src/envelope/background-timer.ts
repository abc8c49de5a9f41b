/** The platforms' timers count in 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Does the work after a while, or earlier if a timer cannot be that long. It does not keep an otherwise idle process
 * alive.
 */
export function inBackground(delayMs: number, work: () => void): void {
  const timer: unknown = setTimeout(work, Math.min(delayMs, LONGEST_TIMER_MS));
  if (isObjectTimer(timer)) timer.unref();
  else if (typeof timer === 'number') deno()?.unrefTimer(timer);
}

/** Node.js and Bun have objects for timers. */
function isObjectTimer(timer: unknown): timer is { unref(): void } {
  return typeof timer === 'object' && timer !== null && 'unref' in timer;
}

/** Deno has numbers for timers, as browsers do, where no timer keeps anything alive. */
function deno(): { unrefTimer(timer: number): void } | undefined {
  // Nothing else has a global of this name, and this one has the function in every version since 1.24.
  return (globalThis as { readonly Deno?: { unrefTimer(timer: number): void } }).Deno;
}
