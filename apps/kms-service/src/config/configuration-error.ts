/** One thing that is wrong with the configuration. Never holds a secret's value. */
export interface ConfigurationProblem {
  readonly variable: string;
  readonly reason: string;
}

/** The exit code of a process whose configuration is wrong (`EX_CONFIG` of sysexits.h). */
export const EXIT_CONFIGURATION = 78;

/** A configuration with which the service must not start; lists every problem at once. */
export class ConfigurationError extends Error {
  readonly problems: readonly ConfigurationProblem[];

  constructor(problems: readonly ConfigurationProblem[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map(({ variable, reason }) => `  ${variable}: ${reason}`).join('\n')}`,
    );
    this.name = 'ConfigurationError';
    this.problems = problems;
  }
}
