import type { OperationName } from '@qnsp/kms-core';

/** A call of a dialect in general: the same for every call of one address. */
export interface CallKind {
  /** Its name in the catalogue, from which permission, event and cost follow. */
  readonly operation: OperationName;
  /** Whether nobody has to sign in. */
  readonly isOpen: boolean;
  /** How many bytes its body may have; 0 where none is read. */
  readonly bodyBytes: number;
}

/** What the head of a request asks for. */
export interface CallTarget {
  readonly kind: CallKind;
  /** The key that the address names, where it names one by its id. */
  readonly keyId?: string | undefined;
}
