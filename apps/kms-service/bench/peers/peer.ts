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

/** A running server that is compared with. */
export interface Peer {
  readonly address: URL;
  /** May make keys, and where that is needed mount secret engines. */
  readonly token: string;
}

/** The bytes of the next request of each row that a side has. */
type Requests = Readonly<Partial<Record<Row, () => Buffer>>>;

/** One side of the comparison, with everything made that its requests need. */
export interface PeerSide {
  /** Its product and version. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly requests: Requests;
  /** Takes away what was mounted for it. */
  readonly unmount?: () => Promise<void>;
}

export const BATCH_ITEMS = 100;
/** The keys that are rotated in turns, so that none of them has many versions, and none is rotated twice at once, which OpenBao refuses. */
export const ROTATED_KEYS = 200;
