import { KmsError } from '../errors/kms-error.ts';

/**
 * Does several pieces of work at once, each run of neighbours that are alike by itself.
 *
 * @param work does a run: what became of each input, or `undefined` where the run is left to be done one by one
 * @returns in the order of the inputs what became of each, `undefined` for what is left
 */
export function inRuns<Input, Outcome>(
  inputs: readonly Input[],
  areAlike: (first: Input, next: Input) => boolean,
  work: (first: Input, run: readonly Input[]) => readonly Outcome[] | undefined,
): (Outcome | undefined)[] {
  const outcomes: (Outcome | undefined)[] = [];
  for (let from = 0; from < inputs.length; from = outcomes.length) {
    const run = runFrom(inputs, from, areAlike);
    const done = unlessRefused(() => run[0] && work(run[0], run));
    for (let at = 0; at < run.length; at += 1) outcomes.push(done?.[at]);
  }
  return outcomes;
}

function runFrom<Input>(
  inputs: readonly Input[],
  from: number,
  areAlike: (first: Input, next: Input) => boolean,
): readonly Input[] {
  const run: Input[] = [];
  for (let at = from; at < inputs.length; at += 1) {
    const [first] = run;
    const next = inputs[at];
    if (next === undefined || (first !== undefined && !areAlike(first, next))) break;
    run.push(next);
  }
  return run;
}

/** A run that is refused is left, too: one by one it turns out whose refusal it is, and that is the answer of those alone. */
function unlessRefused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (KmsError.is(error)) return undefined;
    throw error;
  }
}
