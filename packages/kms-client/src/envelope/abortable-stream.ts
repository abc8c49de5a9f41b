type Controller = TransformStreamDefaultController<Uint8Array>;

/** What a stream does with its data. */
interface Work {
  transform(chunk: Uint8Array, controller: Controller): Promise<void>;
  flush(controller: Controller): Promise<void>;
}

/** In the standard, but not yet in the types of some platforms. */
interface Cancellable extends Work {
  start(controller: Controller): void;
  cancel(): void;
}

/** A stream that the signal ends at once with its reason, even while no data arrives and nobody reads. */
export function abortableStream(signal: AbortSignal | undefined, work: Work): TransformStream<Uint8Array, Uint8Array> {
  if (signal === undefined) return new TransformStream(work);
  // The signal may outlive many streams.
  let forget: () => void = () => undefined;
  const orReason = async (working: Promise<void>) => {
    try {
      await working;
    } catch (error) {
      forget();
      // An error in a stream that was ended in the meantime is a consequence of that.
      signal.throwIfAborted();
      throw error;
    }
  };
  const transformer: Cancellable = {
    start(controller) {
      const end = () => controller.error(signal.reason);
      forget = () => signal.removeEventListener('abort', end);
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    },
    transform: (chunk, controller) => orReason(work.transform(chunk, controller)),
    async flush(controller) {
      await orReason(work.flush(controller));
      forget();
    },
    cancel: () => forget(),
  };
  return new TransformStream(transformer);
}
