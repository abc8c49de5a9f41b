import type { AlgorithmId } from '../algorithms/algorithm-id.ts';
import { type Algorithm, ALGORITHMS } from '../algorithms/registry.ts';
import { algorithmById } from '../algorithms/resolve.ts';
import { KmsError } from '../errors/kms-error.ts';
import { type AlgorithmRule, CRYPTO_ACTS, type CryptoAct, type CryptoPolicy, type Ruling } from './crypto-policy.ts';

/** What a policy says about an act at a time. */
export type Verdict =
  | { readonly kind: 'allowed' }
  /** It is done, and refused from this time on; never with `null`. In milliseconds since 1970. */
  | { readonly kind: 'discouraged'; readonly refusedFrom: number | null }
  /** Refused since this time; always with `null`. */
  | { readonly kind: 'refused'; readonly since: number | null };

/** An act that violates a policy, as inventories show it. Values are JSON. */
export interface PolicyViolation {
  /** The platform id. */
  readonly algorithm: AlgorithmId;
  readonly act: CryptoAct;
  readonly verdict: 'discouraged' | 'refused';
  /** From when on it is refused: `null` where it never is, or always was. */
  readonly refusedFrom: string | null;
  /** Where the source of the policy says so. */
  readonly source: string;
}

/** How often keys were used in a way that violates the policy. */
export interface ViolationCount {
  readonly algorithm: AlgorithmId;
  readonly act: CryptoAct;
  readonly verdict: 'discouraged' | 'refused';
  readonly count: number;
}

const ALLOWED: Verdict = { kind: 'allowed' };
const WORDS: Readonly<Record<CryptoAct, string>> = {
  create: 'making keys',
  protect: 'protecting anything new',
  process: 'reading or verifying anything',
};

/**
 * A crypto policy that is asked at each use of a key: what it says is looked up in a table, which is made again when the time passes
 * one of its dates.
 */
export class PolicyVerdicts {
  readonly policy: CryptoPolicy;
  /** What is allowed at any time. */
  readonly #free: Readonly<Record<CryptoAct, ReadonlySet<AlgorithmId>>>;
  #table = new Map<AlgorithmId, Readonly<Record<CryptoAct, Verdict>>>();
  /** From when to when the table holds; at first never. */
  #from = Infinity;
  #to = -Infinity;
  readonly #violations = new Map<string, ViolationCount>();

  constructor(policy: CryptoPolicy) {
    this.policy = policy;
    const freeIn = (act: CryptoAct) =>
      new Set(ALGORITHMS.filter((algorithm) => this.#rule(algorithm)[act] === 'allowed').map(({ id }) => id));
    this.#free = { create: freeIn('create'), protect: freeIn('protect'), process: freeIn('process') };
  }

  /** @param now milliseconds since 1970 */
  verdict({ id }: Pick<Algorithm, 'id'>, act: CryptoAct, now: number): Verdict {
    if (now < this.#from || now >= this.#to) this.#makeTable(now);
    return this.#table.get(id)?.[act] ?? ALLOWED;
  }

  /**
   * Counts an act if it violates the policy.
   *
   * @param times how often it is to be done
   * @throws KmsError `FORBIDDEN` if the policy refuses it, with its name, the algorithm, the act and since when in the details.
   */
  require(algorithm: Algorithm, act: CryptoAct, clock: () => number, times = 1): void {
    // Nearly every use: nothing has to be known of the time.
    if (this.#free[act].has(algorithm.id)) return;
    const verdict = this.verdict(algorithm, act, clock());
    if (verdict.kind === 'allowed') return;
    this.#count(algorithm.id, act, verdict.kind, times);
    if (verdict.kind === 'discouraged') return;
    const { name } = this.policy;
    const since = verdict.since === null ? null : new Date(verdict.since).toISOString();
    const source = this.#rule(algorithm).source;
    throw new KmsError(
      'FORBIDDEN',
      `The crypto policy ${name} refuses ${WORDS[act]} with ${algorithm.standardName}${since === null ? '' : ` since ${since}`} (${source}).`,
      { details: { deniedBy: 'crypto-policy', policy: name, algorithm: algorithm.id, act, since } },
    );
  }

  /** Which of these acts with an algorithm violate the policy. */
  violations(algorithm: Algorithm, now: number, acts: readonly CryptoAct[] = CRYPTO_ACTS): readonly PolicyViolation[] {
    const { source } = this.#rule(algorithm);
    return acts.flatMap((act): PolicyViolation[] => {
      const verdict = this.verdict(algorithm, act, now);
      if (verdict.kind === 'allowed') return [];
      const at = verdict.kind === 'refused' ? verdict.since : verdict.refusedFrom;
      const refusedFrom = at === null ? null : new Date(at).toISOString();
      return [{ algorithm: algorithm.id, act, verdict: verdict.kind, refusedFrom, source }];
    });
  }

  /** A violation in words. */
  warning({ algorithm, act, verdict, refusedFrom, source }: PolicyViolation): string {
    const refuses = verdict === 'refused' || refusedFrom !== null;
    const from = refusedFrom === null ? '' : ` from ${refusedFrom} on`;
    const { standardName } = algorithmById(algorithm);
    return `The crypto policy ${this.policy.name} ${refuses ? 'refuses' : 'discourages'} ${WORDS[act]} with ${standardName}${from} (${source}).`;
  }

  /** How often each act that violates the policy was asked for. */
  get counts(): readonly ViolationCount[] {
    return [...this.#violations.values()];
  }

  #rule({ id }: Pick<Algorithm, 'id'>): AlgorithmRule {
    return this.policy.rules.get(id) ?? this.policy.otherwise;
  }

  #count(algorithm: AlgorithmId, act: CryptoAct, verdict: ViolationCount['verdict'], times: number): void {
    const name = `${algorithm} ${act} ${verdict}`;
    const count = (this.#violations.get(name)?.count ?? 0) + times;
    this.#violations.set(name, { algorithm, act, verdict, count });
  }

  #makeTable(now: number): void {
    const dates = [...this.policy.rules.values(), this.policy.otherwise].flatMap((rule) =>
      CRYPTO_ACTS.flatMap((act) => dateOf(rule[act])),
    );
    this.#from = Math.max(-Infinity, ...dates.filter((date) => date <= now));
    this.#to = Math.min(Infinity, ...dates.filter((date) => date > now));
    this.#table = new Map(
      ALGORITHMS.map((algorithm) => {
        const rule = this.#rule(algorithm);
        const verdicts = {
          create: verdictOf(rule.create, now),
          protect: verdictOf(rule.protect, now),
          process: verdictOf(rule.process, now),
        };
        return [algorithm.id, verdicts] as const;
      }),
    );
  }
}

function dateOf(ruling: Ruling): readonly number[] {
  return typeof ruling === 'string' ? [] : [ruling.until];
}

function verdictOf(ruling: Ruling, now: number): Verdict {
  if (ruling === 'allowed') return ALLOWED;
  if (ruling === 'discouraged') return { kind: 'discouraged', refusedFrom: null };
  if (ruling === 'refused') return { kind: 'refused', since: null };
  return now < ruling.until
    ? { kind: 'discouraged', refusedFrom: ruling.until }
    : { kind: 'refused', since: ruling.until };
}
