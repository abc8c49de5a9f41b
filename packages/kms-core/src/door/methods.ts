import type { MaybePromise } from '../base/maybe-promise.ts';
import type { Operation } from '../operations/operation.ts';

/** An operation as a method: without its first parameter, and always with a promise. An input without required fields may be left out. */
type MethodOf<F> = F extends (op: never, ...rest: infer Rest) => infer Answer
  ? Rest extends [infer Input]
    ? object extends Input
      ? (input?: Input) => Promise<Awaited<Answer>>
      : (input: Input) => Promise<Awaited<Answer>>
    : (...rest: Rest) => Promise<Awaited<Answer>>
  : never;

type MethodsOf<Table> = { readonly [Name in keyof Table]: MethodOf<Table[Name]> };

/** Makes a call of one operation. */
export type CallOperation<Name> = (
  name: Name,
  operation: (op: Operation, ...rest: readonly unknown[]) => MaybePromise<unknown>,
  rest: readonly unknown[],
) => Promise<unknown>;

/** The operations of a table as methods that call them in one way. */
export function methodsOf<Table extends object>(table: Table, call: CallOperation<keyof Table>): MethodsOf<Table> {
  const methods = Object.entries(table).map(([name, operation]) => [
    name,
    // The table has the operation under this name, and `MethodsOf` gives the method its parameters and its answer.
    (...rest: readonly unknown[]) => call(name as keyof Table, operation as Parameters<typeof call>[1], rest),
  ]);
  return Object.freeze(Object.fromEntries(methods)) as MethodsOf<Table>;
}
