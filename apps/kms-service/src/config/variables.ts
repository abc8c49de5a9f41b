import { readFileSync } from 'node:fs';
import type { ConfigurationProblem } from './configuration-error.ts';

/** The environment of a process: names and values as text. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads typed values out of an environment and gathers what is wrong, so that all problems can be shown at once.
 * An empty value counts as unset.
 */
export class Variables {
  readonly problems: ConfigurationProblem[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The text of a variable, `undefined` when it is unset or empty. */
  text(name: string): string | undefined {
    const value = this.#environment[name]?.trim();
    return value === '' ? undefined : value;
  }

  /** As {@link secret}, but as it was given: blanks may belong to it. A file loses only the end of its last line. */
  exactSecret(name: string): string | undefined {
    const value = this.#environment[name];
    const path = this.text(`${name}_FILE`);
    if (path === undefined) return value === '' ? undefined : value;
    // What is wrong with it, or with both being set, is said in the same words.
    return this.secret(name) === undefined ? undefined : withoutLineEnd(readFileSync(path, 'utf8'));
  }

  /** The text of a secret, from the variable itself or from the file that `NAME_FILE` names. */
  secret(name: string): string | undefined {
    const value = this.text(name);
    const path = this.text(`${name}_FILE`);
    if (path === undefined) return value;
    if (value !== undefined) {
      this.problem(`${name}_FILE`, `set either ${name} or ${name}_FILE, not both`);
      return undefined;
    }
    try {
      const content = readFileSync(path, 'utf8').trim();
      if (content === '') this.problem(`${name}_FILE`, 'the file is empty');
      return content === '' ? undefined : content;
    } catch (error) {
      this.problem(`${name}_FILE`, `the file cannot be read (${errorCode(error)})`);
      return undefined;
    }
  }

  integer(name: string, fallback: number, range: { readonly min: number; readonly max: number }): number {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= range.min && number <= range.max) return number;
    this.problem(name, `must be a whole number from ${range.min} to ${range.max}`);
    return fallback;
  }

  /** An instant as services write it, with milliseconds and in UTC. */
  instant(name: string): Date | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const instant = new Date(value);
    if (!Number.isNaN(instant.getTime()) && instant.toISOString() === value) return instant;
    this.problem(name, 'must be an instant such as 2026-01-31T23:59:59.999Z');
    return undefined;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.text(name)?.toLowerCase();
    if (value === undefined) return fallback;
    if (value === 'true' || value === '1') return true;
    if (value === 'false' || value === '0') return false;
    this.problem(name, 'must be true or false');
    return fallback;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const found = allowed.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    this.problem(name, `must be one of ${allowed.join(', ')}`);
    return fallback;
  }

  problem(variable: string, reason: string): void {
    this.problems.push({ variable, reason });
  }
}

/** The content of a file that holds one secret, as editors and `echo` write it. */
export function withoutLineEnd(content: string): string {
  return content.replace(/\r?\n$/, '');
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
