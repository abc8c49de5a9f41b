/** How an operation is called, whose answer is one of those. */
export interface OperationOf<Answer extends string> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With parameters in braces; each is a field of the input. */
  readonly path: string;
  /** Where a crypto call goes if it names no key, or names the key in its body. */
  readonly withoutKey?: string;
  /** Set on crypto operations: the field of the input that `{keyId}` stands for. */
  readonly keyField?: 'keyId' | 'sourceKeyId';
  /** The fields that go into the query; all others go into the body. */
  readonly query?: readonly string[];
  /** The fields of the body that are bytes. */
  readonly bytes?: readonly string[];
  readonly answer: Answer | 'text';
  /** Statuses beside 200 and 201 with which the answer comes. */
  readonly otherStatuses?: readonly number[];
  /** Whether it changes anything: then it is sent with an idempotency key. */
  readonly mutating?: boolean;
  /** Whether it needs no credential; then none is sent. */
  readonly open?: boolean;
}
