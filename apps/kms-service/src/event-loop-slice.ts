import type { Logger } from './http/logger.ts';

/**
 * How long the event loop wants to run before others may have its processor, in nanoseconds: the least that Linux takes. For a thread
 * that has not asked it is 0.7 ms and more, the more processors the longer.
 */
const SLICE_NS = 100_000n;

/** The numbers of the system calls `sched_setattr` and `sched_getattr`, by architecture. */
const CALLS: Partial<Record<NodeJS.Architecture, { readonly set: bigint; readonly get: bigint }>> = {
  x64: { set: 314n, get: 315n },
  arm64: { set: 274n, get: 275n },
};

/** The bytes of a `struct sched_attr` in its first version, and where its `sched_runtime` is: see sched_setattr(2). */
const ATTRIBUTES_BYTES = 48;
const RUNTIME_AT = 24;
const THIS_THREAD = 0n;

/**
 * Asks Linux for a short slice for this thread, which is that of the event loop. A thread of the pool that has just been given a
 * processor may keep it for its slice, however low its priority: up to 4 ms, for which every quick request waits. Since Linux 6.12 a
 * thread that wakes up and asks for less than that does not wait. Its share of the processors stays the same. Older versions ignore it.
 */
export function shortenSlice(log: Logger): void {
  const calls = process.platform === 'linux' ? CALLS[process.arch] : undefined;
  const ffi = calls && process.getBuiltinModule('node:ffi');
  if (calls === undefined || ffi === undefined) return;
  try {
    const { functions: libc } = ffi.dlopen(null, {
      syscall: { return: 'int64', arguments: ['int64', 'int64', 'buffer', 'int64', 'int64'] },
    });
    const attributes = Buffer.from(new ArrayBuffer(ATTRIBUTES_BYTES));
    require(libc.syscall(calls.get, THIS_THREAD, attributes, BigInt(ATTRIBUTES_BYTES), 0n));
    // Everything else, such as a priority that the operator gave, goes back as it was read.
    attributes.writeBigUInt64LE(SLICE_NS, RUNTIME_AT);
    require(libc.syscall(calls.set, THIS_THREAD, attributes, 0n, 0n));
  } catch (error) {
    // Where this is forbidden the service works as well, with less regard for what is quick.
    log.warn({ err: error }, 'the slice of the event loop cannot be shortened');
  }
}

function require(result: bigint): void {
  if (result !== 0n) throw new Error('Linux refused a scheduling attribute');
}
