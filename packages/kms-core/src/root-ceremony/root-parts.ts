import type { Kms } from '../operations/kms.ts';

/** What the operations on roots and on what they wrap work with. */
export type RootParts = Pick<Kms, 'store' | 'hierarchy'>;
