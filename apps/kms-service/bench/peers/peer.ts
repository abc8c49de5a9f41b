/** What is measured, on this service and on a peer. */
export const ROWS = [
  'encrypt',
  'decrypt',
  'encrypt a batch of 100',
  'sign, ed25519',
  'sign, ecdsa-p256',
  'verify, ecdsa-p256',
  'make a data key',
  'rotate a young key',
  'create an AES key',
] as const;

export type Row = (typeof ROWS)[number];

/** The bytes of the next request of each row. */
type Requests = Readonly<Record<Row, () => Buffer>>;

/** One side of the comparison, with everything made that its requests need. */
export interface PeerSide {
  /** Its product and version. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly requests: Requests;
}

export const BATCH_ITEMS = 100;
/** The keys that are rotated in turns, so that none of them has many versions, and none is rotated twice at once, which OpenBao refuses. */
export const ROTATED_KEYS = 200;
