import type { ApiTokenDescription, CreateApiTokenInput, CreatedApiToken } from '../../operations/api-tokens.ts';
import type { DenyIdentityInput, IdentityDenialDescription } from '../../operations/deny-identity.ts';
import type { CreateIdentityBindingInput, IdentityBindingDescription } from '../../operations/identity-bindings.ts';
import type { ListApiTokensInput, ListApiTokensResult } from '../../operations/list-api-tokens.ts';
import type { ListIdentityBindingsInput, ListIdentityBindingsResult } from '../../operations/list-identity-bindings.ts';
import type { ListIdentityDenialsInput, ListIdentityDenialsResult } from '../../operations/list-identity-denials.ts';
import type { RevokeApiTokenInput, RevokedTokens } from '../../operations/revoke-token.ts';
import type { RotateApiTokenInput } from '../../operations/rotate-token.ts';

/** The operations that decide who may call: API tokens, and identities of other issuers. */
export interface AccessOperations {
  /**
   * Creates an API token for the caller's tenant. It can do no more than the caller's own credential, and where that ends or is limited
   * to some keys, addresses or a rate, so is the token. The answer is the only place where `token` is ever shown.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tokens:manage`, and for a token that would reach further than the caller;
   *   `BAD_REQUEST` without a role and permissions; `CONFLICT` for a repeated call under one idempotency key, because the token cannot
   *   be shown again.
   * @example
   * const { keyId } = await ada.createKey();
   * const { token } = await ada.createToken({ name: 'importer', permissions: ['kms:encrypt'], keys: [keyId] });
   * const importer = kms.as(await kms.authenticate({ bearer: token }));
   * const { ciphertext } = await importer.encrypt({ keyId, plaintext: Buffer.from('secret') });
   * console.log(await importer.decrypt({ ciphertext }).catch((error) => error.code)); // FORBIDDEN
   */
  createToken(input: CreateApiTokenInput): Promise<CreatedApiToken>;

  /**
   * Shows a token of the tenant, without the token itself.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tokens:manage`; `NOT_FOUND`.
   * @example
   * const { tokenId } = await ada.createToken({ name: 'importer', role: 'key_user' });
   * const { name, role, revokedAt } = await ada.getToken({ tokenId });
   * console.log(name, role, revokedAt); // importer key_user null
   */
  getToken(input: { readonly tokenId: string }): Promise<ApiTokenDescription>;

  /**
   * Lists the tokens of the tenant, newest first, a page at a time, those that have ended as well.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tokens:manage`; `BAD_REQUEST` for a cursor of another list.
   * @example
   * await ada.createToken({ name: 'importer', role: 'key_user' });
   * const { items } = await ada.listTokens({ limit: 200 });
   * console.log(items.map(({ name }) => name)); // [ 'importer' ]
   */
  listTokens(input?: ListApiTokensInput): Promise<ListApiTokensResult>;

  /**
   * Replaces a token by one with another secret and the same permissions, limits and expiry. The old one is still taken for
   * `overlapSeconds`, an hour by default and a week at most. A token may replace itself without any permission.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tokens:manage`, for a token that can do more than the caller, or one that is not of the
   *   caller's lineage; `NOT_FOUND`; `CONFLICT` for a token that has ended or was replaced already, and for a repeated call.
   * @example
   * const { tokenId } = await ada.createToken({ name: 'importer', role: 'key_user' });
   * const successor = await ada.rotateToken({ tokenId, overlapSeconds: 600 });
   * console.log(successor.replaces === tokenId, successor.name); // true importer
   */
  rotateToken(input: RotateApiTokenInput): Promise<CreatedApiToken>;

  /**
   * Ends a token now, in every process of the KMS. With `cascade` its lineage ends with it: what replaced it, what it replaced and
   * all that any of them created, up to 1,000 tokens in one call; call again while `more` is true. Without it, `warnings` say that another
   * token replaced it and goes on.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tokens:manage`; `NOT_FOUND`.
   * @example
   * const { tokenId, token } = await ada.createToken({ name: 'importer', role: 'key_user' });
   * const { revoked, more } = await ada.revokeToken({ tokenId, cascade: true });
   * console.log(revoked, more); // 1 false
   * console.log(await kms.authenticate({ bearer: token }).catch((error) => error.code)); // UNAUTHORIZED
   */
  revokeToken(input: RevokeApiTokenInput): Promise<RevokedTokens>;

  /**
   * Lets workloads call for the caller's tenant with credentials that an issuer gave them, such as a JWT of a Kubernetes cluster. All
   * claims in `match` have to be as they say there, where a value may end in `*`.
   *
   * @throws KmsError `FORBIDDEN` without `kms:identity-bindings:manage`, and when they could do more than the caller;
   *   `BAD_REQUEST` for a match that tells nobody from the others of the issuer; `QUOTA_EXCEEDED` when the tenant has as many bindings
   *   as it may.
   * @example
   * const binding = await ada.createIdentityBinding({
   *   issuer: 'https://cluster.example',
   *   match: { sub: 'system:serviceaccount:shop:checkout' },
   *   role: 'key_user',
   * });
   * console.log(binding.role, binding.keys); // key_user null
   */
  createIdentityBinding(input: CreateIdentityBindingInput): Promise<IdentityBindingDescription>;

  /**
   * Lists the identity bindings of the tenant, newest first, a page at a time.
   *
   * @throws KmsError `FORBIDDEN` without `kms:identity-bindings:manage`; `BAD_REQUEST` for a cursor of another list.
   * @example
   * await ada.createIdentityBinding({ issuer: 'https://cluster.example', match: { sub: 'shop:*' }, role: 'key_user' });
   * const { items } = await ada.listIdentityBindings();
   * console.log(items.map(({ match }) => match)); // [ { sub: 'shop:*' } ]
   */
  listIdentityBindings(input?: ListIdentityBindingsInput): Promise<ListIdentityBindingsResult>;

  /**
   * Shows an identity binding.
   *
   * @throws KmsError `FORBIDDEN` without `kms:identity-bindings:manage`; `NOT_FOUND`, for one that was deleted as well.
   * @example
   * const match = { sub: 'shop:*' };
   * const { bindingId } = await ada.createIdentityBinding({ issuer: 'https://cluster.example', match, role: 'auditor' });
   * const { issuer, role } = await ada.getIdentityBinding({ bindingId });
   * console.log(issuer, role); // https://cluster.example auditor
   */
  getIdentityBinding(input: { readonly bindingId: string }): Promise<IdentityBindingDescription>;

  /**
   * Deletes an identity binding: who was let in by it alone is refused from now on, in every process of the KMS.
   *
   * @throws KmsError `FORBIDDEN` without `kms:identity-bindings:manage`; `NOT_FOUND`.
   * @example
   * const match = { sub: 'shop:*' };
   * const { bindingId } = await ada.createIdentityBinding({ issuer: 'https://cluster.example', match, role: 'auditor' });
   * await ada.deleteIdentityBinding({ bindingId });
   * console.log((await ada.listIdentityBindings()).items); // []
   */
  deleteIdentityBinding(input: { readonly bindingId: string }): Promise<void>;

  /**
   * Refuses the credentials of a subject (`sub`), or one credential by its id (`jti`), that an issuer gave before a time, which is now by
   * default. Those who are let in again get new credentials.
   *
   * @throws KmsError `FORBIDDEN` without `kms:identity-bindings:manage`; `BAD_REQUEST` for both or neither of `sub` and `jti`, and for a
   *   time more than five minutes ahead; `QUOTA_EXCEEDED` after 1,000 denials that have not ended.
   * @example
   * const denial = await ada.denyIdentity({ issuer: 'https://cluster.example', sub: 'shop:checkout' });
   * console.log(denial.sub, denial.jti); // shop:checkout null
   */
  denyIdentity(input: DenyIdentityInput): Promise<IdentityDenialDescription>;

  /**
   * Lists the denials of the tenant whose credentials have not all expired, newest first, a page at a time; those that were lifted too.
   *
   * @throws KmsError `FORBIDDEN` without `kms:identity-bindings:manage`; `BAD_REQUEST` for a cursor of another list.
   * @example
   * await ada.denyIdentity({ issuer: 'https://cluster.example', sub: 'shop:checkout' });
   * const { items } = await ada.listIdentityDenials();
   * console.log(items.map(({ sub, liftedAt }) => [sub, liftedAt])); // [ [ 'shop:checkout', null ] ]
   */
  listIdentityDenials(input?: ListIdentityDenialsInput): Promise<ListIdentityDenialsResult>;

  /**
   * Lifts a denial: bindings let in again, in every process of the KMS, by the credentials that it refused, unless another denial does
   * too. Lifting it once more changes nothing.
   *
   * @throws KmsError `FORBIDDEN` without `kms:identity-bindings:manage`, and when a binding of the issuer gives more than the caller has;
   *   `NOT_FOUND`, for one that has ended as well.
   * @example
   * const { denialId } = await ada.denyIdentity({ issuer: 'https://cluster.example', jti: 'job-17' });
   * const { liftedBy } = await ada.liftIdentityDenial({ denialId });
   * console.log(liftedBy !== null); // true
   */
  liftIdentityDenial(input: { readonly denialId: string }): Promise<IdentityDenialDescription>;
}
