import type { FleetNode } from '../ports/fleet-nodes.ts';
import { NEWEST_FORMAT, RECORD_FORMATS, type RecordFormat, type RecordFormats } from './record-formats.ts';

/** Under this name a node tells its fleet the newest format of records that it reads. */
const ANNOUNCED = 'RECORD_FORMAT';
/** Under this name it says that it knows what to do about a master key that another one has rotated. */
const ROTATION = 'MASTER_KEY_ROTATION';

/** What a node tells its fleet about formats. */
export const FORMAT_ANNOUNCEMENT = { [ANNOUNCED]: String(NEWEST_FORMAT), [ROTATION]: '1' } as const;

/**
 * The format of records that this node writes: the newest one as soon as every node of the fleet reads it, and from then on.
 * A node that does not was started before the database was migrated, so none comes back once all are gone.
 */
export class WrittenFormat implements RecordFormats {
  readonly known = RECORD_FORMATS.known;
  #written: RecordFormat;
  #rotatesMasterKeys: boolean;

  /** @param isAlone whether this process has the database for itself */
  constructor(isAlone: boolean) {
    this.#written = isAlone ? NEWEST_FORMAT : 1;
    this.#rotatesMasterKeys = isAlone;
  }

  get rotatesMasterKeys(): boolean {
    return this.#rotatesMasterKeys;
  }

  get written(): RecordFormat {
    return this.#written;
  }

  /** Takes note of the nodes that are there beside this one. Answers whether all of them read the newest format. */
  heardOf(others: readonly FleetNode[]): boolean {
    const all = others.every(({ settings }) => Number(settings[ANNOUNCED] ?? 1) >= NEWEST_FORMAT);
    if (all) this.#written = NEWEST_FORMAT;
    this.#rotatesMasterKeys = others.every(({ settings }) => settings[ROTATION] !== undefined);
    return all;
  }
}
