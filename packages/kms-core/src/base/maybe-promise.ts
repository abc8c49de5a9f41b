/** A value now where the work is cheap, a promise where it runs off the event loop or in an HSM. */
export type MaybePromise<T> = T | Promise<T>;

/** Goes on with a value as soon as it is there, without a promise where none is needed. */
export function andThen<A, B>(value: MaybePromise<A>, next: (value: A) => MaybePromise<B>): MaybePromise<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}
