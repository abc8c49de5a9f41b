import { KmsError } from '../errors/kms-error.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { ResidentClaim, Store, UnitOfWork } from '../ports/store.ts';

/** Making a key takes milliseconds. A call that takes longer renews its claim this often, so that a claim that nobody renews can expire soon. */
const RENEWED_EACH_MS = 5000;
const RETRY_AFTER_SECONDS = 5;

/** Another call is making this version, or may have left it half made. The caller should try again: asking another HSM would make a second one. */
export class BeingMade extends KmsError {
  constructor(cause: KmsError) {
    super(
      'HSM_UNAVAILABLE',
      'This version of the key is being made, or an attempt to make it is cleaned up. Try again.',
      {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        cause,
      },
    );
  }
}

/** The claim on a version of a key that is going to be made in an HSM. Once the sweep has removed it, it is lost for good. */
export interface VersionClaim {
  /** Renews the claim until this is settled. */
  renewedWhile<T>(making: Promise<T>): Promise<T>;
  /** Releases it. Answers whether the claim was still this one, and not that of another call that makes the version since this one was swept. */
  release(unit: UnitOfWork): Promise<boolean>;
}

/**
 * Claims a version before it is made in an HSM. The caller that stores it releases the claim in the same unit.
 *
 * @throws BeingMade where it is claimed already
 */
export async function claimVersion(store: Store, providerId: string, name: ResidentKeyName): Promise<VersionClaim> {
  const scope = { kind: 'tenant', tenantId: name.tenantId } as const;
  let claim = await claimOf(store, providerId, name);
  const renew = async () => {
    try {
      // One that was swept is lost: the unit that stores the version finds out, even if another call has claimed it since.
      claim = (await store.transact(scope, (unit) => unit.residents.renew(claim))) ?? claim;
    } catch (error) {
      // What cannot be renewed now is renewed the next time, or lost: even where a commit that is in doubt was made.
      if (!KmsError.is(error)) throw error;
    }
  };
  return {
    release: (unit) => unit.residents.release(claim),
    async renewedWhile(making) {
      let renewal = Promise.resolve();
      const timer = setInterval(() => {
        renewal = renewal.then(renew);
      }, RENEWED_EACH_MS);
      try {
        return await making;
      } finally {
        clearInterval(timer);
        // It must not come back after it is released.
        await renewal;
      }
    },
  };
}

async function claimOf(store: Store, providerId: string, name: ResidentKeyName): Promise<ResidentClaim> {
  try {
    return await store.transact({ kind: 'tenant', tenantId: name.tenantId }, (unit) =>
      unit.residents.claim({ providerId, name, kind: 'create' }),
    );
  } catch (error) {
    if (KmsError.is(error) && error.code === 'CONFLICT') throw new BeingMade(error);
    throw error;
  }
}
