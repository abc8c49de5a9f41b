/** A condition of a policy statement; every one that is present must hold. */
export interface PolicyConditions {
  readonly tenant?: readonly string[];
  /** Addresses or CIDR blocks. */
  readonly ip?: readonly string[];
  /** RFC 3339 instants; the statement holds from `notBefore` until before `notAfter`. */
  readonly time?: { readonly notBefore?: string; readonly notAfter?: string };
  readonly mfa?: boolean;
}

/** One rule of a policy: what it allows or denies to whom, and when. */
export interface PolicyStatement {
  readonly effect: 'allow' | 'deny';
  /** Permissions, with `*` at the end as a wildcard: `kms:encrypt`, `kms:keys:*`, `*`. */
  readonly actions: readonly string[];
  /** Key ids, or `*`. */
  readonly resources: readonly string[];
  /** Subjects; if absent, everyone. */
  readonly principals?: readonly string[];
  readonly conditions?: PolicyConditions;
}

/** The policy of a key: deny wins; where nothing matches the role decides. */
export interface PolicyDocument {
  readonly version: '1';
  readonly statements: readonly PolicyStatement[];
}
