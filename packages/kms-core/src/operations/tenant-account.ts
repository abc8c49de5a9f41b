import { createHash } from 'node:crypto';
import { checkId } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { TenantAuthority } from '../hierarchy/tenant-authority.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import { fieldOf, TENANT_ACCOUNT, withField } from '../model/record-fields.ts';
import type { TenantRecord } from '../model/tenant.ts';
import type { Kms } from './kms.ts';

/** Among so many tenants as a service can have, more would take a fault. */
const MOST_DRAWS = 16;
const ACCOUNTS = 10n ** 12n;
const DIGITS = 12;

/**
 * The account of a tenant: 12 digits, by which interfaces name it that take no UUID. It is drawn when it is first asked for, no other
 * tenant has it, and it never changes.
 *
 * @throws KmsError `NOT_FOUND` without such a tenant; `CONFLICT` while its record is of an earlier release
 */
export async function accountOf(kms: Pick<Kms, 'store' | 'hierarchy'>, tenantId: TenantId): Promise<string> {
  checkId('tenantId', tenantId);
  const authority = new TenantAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  const seen = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) => unit.tenants.get(tenantId));
  const known = accountIn(authority, seen);
  if (known !== undefined) return known;
  for (let draw = 0; ; draw += 1) {
    try {
      return await giveAccount(kms, authority, tenantId, draw);
    } catch (error) {
      // Another tenant has it.
      if (!KmsError.is(error) || error.code !== 'CONFLICT' || draw === MOST_DRAWS) throw error;
    }
  }
}

/** The number of a draw for a tenant; the first is the same wherever the tenant is. */
export function drawnAccount(tenantId: TenantId, draw: number): string {
  const digest = createHash('sha256')
    .update(draw === 0 ? tenantId : `${tenantId}/${draw}`)
    .digest('hex');
  const account = BigInt(`0x${digest}`) % ACCOUNTS;
  // Clients take it for none.
  return String(account === 0n ? 1n : account).padStart(DIGITS, '0');
}

function giveAccount(
  { store }: Pick<Kms, 'store'>,
  authority: TenantAuthority,
  tenantId: TenantId,
  draw: number,
): Promise<string> {
  return store.transact({ kind: 'system' }, async (unit) => {
    const tenant = await unit.tenants.get(tenantId, { lock: true });
    const known = accountIn(authority, tenant);
    if (known !== undefined) return known;
    if (tenant === undefined || tenant.mac === null)
      throw new KmsError(
        'CONFLICT',
        'The record of the tenant is of an earlier release, and will soon be of this one.',
      );
    const account = drawnAccount(tenantId, draw);
    await unit.tenants.setFields(
      authority.sign({ ...tenant, fields: withField(tenant.fields, TENANT_ACCOUNT, account) }),
    );
    return account;
  });
}

/** What an authentic record says. */
function accountIn(authority: TenantAuthority, tenant: TenantRecord | undefined): string | undefined {
  if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
  authority.verify(tenant, true);
  return fieldOf(tenant.fields, TENANT_ACCOUNT);
}
