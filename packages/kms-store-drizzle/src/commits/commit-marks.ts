import { randomUUID } from 'node:crypto';
import { KmsError } from '@qnsp/kms-core';
import type { CommitMemory, KnownCommits } from '@qnsp/kms-core/ports';
import type { Names } from '../driver/names.ts';
import { scopeStatement } from '../driver/scope.ts';

/** How many other processes (those that committed last) are looked up in the memory that processes share. */
const OTHERS = 16;
/** Somebody must settle the copy and restart the service. */
const RETRY_SECONDS = 30;

/** A row of what the database has counted. */
export interface CountedCommits {
  readonly holder: string;
  readonly slot: number;
  readonly count: number;
}

/** A unit of work that was to be committed, as the one with this number in its slot. */
export interface OpenCommit {
  readonly slot: number;
  readonly count: number;
}

/** What a connection says of the server behind it. */
export interface DatabaseLook {
  /** It is a standby. */
  readonly recovering: boolean;
  readonly counted: readonly CountedCommits[];
}

/**
 * What was acknowledged to this process as committed. Each connection counts its commits in its own row
 * (`note_commit`, in the round trip of the commit), so that a database can be asked whether it has all of them: one
 * that was promoted although it lagged, or put back from a snapshot, does not.
 */
export class CommitMarks {
  readonly holder = randomUUID();
  readonly #names: Names;
  readonly #counts = new Map<number, number>();
  /** The one returned longest ago goes first: an abandoned session may still hold the row of its slot. */
  readonly #free: number[];
  /** Slots of units of work that were to be committed and did not answer. */
  readonly #open = new Set<number>();
  /** Those whose connection is gone. */
  readonly #returned = new Set<number>();
  #memory: CommitMemory | undefined;
  #lacking: readonly string[] = [];
  #onBehind: () => void = () => undefined;

  constructor(names: Names, slots: number) {
    this.#names = names;
    this.#free = Array.from({ length: slots }, (_, slot) => slot);
  }

  get known(): KnownCommits {
    return { holder: this.holder, counts: Object.fromEntries(this.#counts) };
  }

  get lacking(): readonly string[] {
    return this.#lacking;
  }

  set onBehind(listener: () => void) {
    this.#onBehind = listener;
  }

  set memory(memory: CommitMemory) {
    this.#memory = memory;
    if (this.#counts.size > 0) memory.keep(this.known);
  }

  takeSlot(): number {
    const slot = this.#free.shift();
    if (slot === undefined) throw new KmsError('INTERNAL_ERROR', 'There are more connections than slots for them.');
    return slot;
  }

  giveSlot(slot: number): void {
    if (this.#open.has(slot)) this.#returned.add(slot);
    else this.#free.push(slot);
  }

  /** A unit of work is about to be committed: until it is known whether it was, nothing else is counted in its slot. */
  committing(slot: number): OpenCommit {
    this.#open.add(slot);
    return { slot, count: this.countOf(slot) + 1 };
  }

  /** It is known whether it was. */
  settled({ slot, count }: OpenCommit, made: boolean): void {
    this.#open.delete(slot);
    if (made && count > this.countOf(slot)) this.#remember(slot, count);
    if (this.#returned.delete(slot)) this.#free.push(slot);
  }

  /**
   * The statements that return the number of commits of a slot as `count`. They wait for one that is still in progress:
   * it holds the row, or the place where the row will be.
   */
  settleStatements(slot: number): string {
    const { schema } = this.#names;
    return `${scopeStatement(this.#names, { kind: 'system' })}; insert into "${schema}".commit_marks as m (holder, slot, count, at)
      values ('${this.holder}', ${slot}, 0, transaction_timestamp())
      on conflict (holder, slot) do update set count = m.count returning m.count::text as count`;
  }

  /** The statement that counts the unit of work at hand, to be sent with its COMMIT. */
  noteStatement(slot: number): string {
    return `select case when pg_current_xact_id_if_assigned() is not null then "${this.#names.schema}".note_commit('${this.holder}', ${slot}) end as noted`;
  }

  /** The statement by which a new connection is checked. */
  lookStatement(): string {
    const others = this.#memory === undefined ? 0 : OTHERS;
    return `select pg_is_in_recovery() as recovering, c.holder, c.slot, c.count::text as count
      from (values (1)) as once left join "${this.#names.schema}".noted_commits('${this.holder}', ${others}) as c on true`;
  }

  /** How often the database must have counted before the next commit of a slot. */
  countOf(slot: number): number {
    return this.#counts.get(slot) ?? 0;
  }

  /**
   * The database has acknowledged a commit, as the one with this number.
   *
   * @throws KmsError `SEALED` when it counts less than it did before.
   */
  noted(slot: number, count: number): void {
    const fewer = count <= this.countOf(slot);
    // What is recorded about a database that is behind is counted by it all the same.
    if (fewer && this.#lacking.length === 0) throw this.#fellBehind([this.holder]);
    this.#remember(slot, count);
  }

  #remember(slot: number, count: number): void {
    this.#counts.set(slot, count);
    this.#memory?.keep(this.known);
  }

  /**
   * Whether the database lacks commits that this process, or one that is remembered elsewhere, was told of. What is
   * known is captured before the database is asked: what is committed in the meantime is not missing.
   *
   * @param ask runs {@link lookStatement}
   * @throws KmsError `SEALED` when something is missing for good.
   */
  async look(ask: () => Promise<DatabaseLook>): Promise<'complete' | 'lagging'> {
    const own = this.known;
    let look = await ask();
    let lacking = lackingIn([own], look.counted);
    const others = new Set(look.counted.map(({ holder }) => holder).filter((holder) => holder !== this.holder));
    if (lacking.length === 0 && this.#memory !== undefined && others.size > 0) {
      const recalled = await this.#memory.recall([...others]);
      if (recalled.length > 0) {
        look = await ask();
        lacking = lackingIn(recalled, look.counted);
      }
    }
    if (lacking.length === 0) return 'complete';
    // A standby that still follows a primary may get what it lacks.
    if (look.recovering) return 'lagging';
    throw this.#fellBehind(lacking);
  }

  /** Throws `SEALED` once the database was found to lack something. */
  requireCurrent(): void {
    if (this.#lacking.length > 0) throw databaseIsBehind();
  }

  /** From now on nothing in the database is believed. Returns the error for the caller that found it. */
  #fellBehind(lacking: readonly string[]): KmsError {
    if (this.#lacking.length === 0) {
      this.#lacking = lacking;
      this.#onBehind();
    }
    return databaseIsBehind();
  }
}

/** Whose commits are not all counted. */
export function lackingIn(known: readonly KnownCommits[], counted: readonly CountedCommits[]): readonly string[] {
  const has = new Map(counted.map(({ holder, slot, count }) => [`${holder}/${slot}`, count]));
  return known
    .filter(({ holder, counts }) =>
      Object.entries(counts).some(([slot, count]) => (has.get(`${holder}/${slot}`) ?? 0) < count),
    )
    .map(({ holder }) => holder);
}

function databaseIsBehind(): KmsError {
  return new KmsError(
    'SEALED',
    'The database lacks changes that were acknowledged: a lagging standby was promoted, or an older copy was put in its ' +
      'place. What was revoked, suspended or destroyed last may be alive in it, so nothing is served.',
    { retryAfterSeconds: RETRY_SECONDS },
  );
}
