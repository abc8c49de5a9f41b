import assert from 'node:assert/strict';
import type { Identity } from '../access/identity.ts';
import { RefusedCredential } from '../access/refused-credential.ts';
import { type Contract, contractOfTrials } from './contract.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { CredentialVerifier, PresentedCredentials } from '../ports/credential-verifier.ts';
import { assertMembers } from './assert-members.ts';

/** A verifier, and credentials to try on it. */
export interface VerifierTrial {
  readonly verifier: CredentialVerifier;
  /** Holds until {@link VerifierTrial.end}. */
  readonly live: PresentedCredentials;
  /** What the verifier owes for it. */
  readonly identity: Pick<Identity, 'subject' | 'tenantId' | 'credential'> & { readonly holds: readonly string[] };
  /** Credentials of this kind that were never given to anybody. */
  readonly unknown: readonly PresentedCredentials[];
  /** Credentials of this kind that ended, and whose they were. */
  readonly ended: readonly { readonly presented: PresentedCredentials; readonly subject: string }[];
  /** Credentials of other kinds. */
  readonly foreign: readonly PresentedCredentials[];
  /** Ends the live one, as its owner or an administrator would. */
  end(): Promise<void>;
}

/**
 * What every verifier of credentials owes.
 *
 * @param open makes a new verifier and new credentials for each test
 */
export function credentialVerifierContract(name: string, open: () => Promise<VerifierTrial>): Contract {
  return contractOfTrials(name, (rules) => {
    let trial: VerifierTrial;
    const it = (rule: string, check: () => Promise<void>): void => {
      rules.it(rule, async () => {
        trial = await open();
        await check();
      });
    };
    // With a promise in any case, so that a refusal that is thrown at once is seen like one that comes later.
    const verify = async (presented: PresentedCredentials) => trial.verifier.verify(presented);
    const refusal = async (presented: PresentedCredentials): Promise<KmsError> => {
      const error: unknown = await verify(presented).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (KmsError.is(error)) return error;
      throw new Error('the credential was not refused', { cause: error });
    };

    it('says whose a credential is that holds, and the same when it is asked again, without a promise', async () => {
      const { subject, tenantId, credential, holds } = trial.identity;
      const first = await verify(trial.live);
      assertMembers(first, { subject, tenantId, credential });
      assert.deepEqual([...(first?.permissions ?? [])].sort(), [...holds].sort());
      const again = trial.verifier.verify(trial.live);
      assert.ok(!(again instanceof Promise));
      assert.deepEqual(again, first);
    });

    it('says that it holds what it would answer from memory, and nothing that it would look up', async () => {
      const { verifier } = trial;
      for (const presented of [trial.live, ...trial.unknown, ...trial.foreign])
        assert.notEqual(verifier.holds?.(presented), true);
      await verify(trial.live);
      if (verifier.holds !== undefined) assert.equal(verifier.holds(trial.live), true);
      for (const presented of trial.unknown) {
        await refusal(presented);
        assert.notEqual(verifier.holds?.(presented), true);
      }
    });

    it('knows nothing of a credential of another kind, nor of none', async () => {
      for (const presented of [{}, ...trial.foreign]) assert.equal(await verify(presented), undefined);
    });

    it('refuses what nobody was given and what has ended in the same words, and says only of the latter whose it was', async () => {
      assert.ok(trial.unknown.length > 0);
      assert.ok(trial.ended.length > 0);
      const words = new Set<string>();
      for (const presented of trial.unknown) {
        const error = await refusal(presented);
        assert.ok(!RefusedCredential.is(error));
        words.add(`${error.code} ${error.message} ${JSON.stringify(error.details)}`);
      }
      for (const { presented, subject } of trial.ended) {
        const error = await refusal(presented);
        assert.ok(RefusedCredential.is(error));
        assertMembers(error, { subject, tenantId: trial.identity.tenantId });
        words.add(`${error.code} ${error.message} ${JSON.stringify(error.details)}`);
      }
      assert.equal(words.size, 1);
      assert.match([...words].join(), /^UNAUTHORIZED /);
    });

    it('refuses a credential that ends while it is held', async () => {
      await verify(trial.live);
      await trial.end();
      assertMembers(await refusal(trial.live), {
        code: 'UNAUTHORIZED',
        subject: trial.identity.subject,
      });
    });

    it('lets in no credential that differs in one character, is cut off or goes on', async () => {
      const { bearer } = trial.live;
      if (bearer === undefined) return;
      const others = [`${bearer}A`, bearer.slice(0, -1), bearer.slice(1)];
      for (let at = 0; at < bearer.length; at += 1)
        others.push(bearer.slice(0, at) + (bearer[at] === 'A' ? 'B' : 'A') + bearer.slice(at + 1));
      for (const other of others) {
        const outcome = await verify({ ...trial.live, bearer: other }).catch((error: unknown) => error);
        if (outcome !== undefined) assertMembers(outcome, { code: 'UNAUTHORIZED' });
      }
    });

    it('shows nothing of a credential in what it refuses it with', async () => {
      for (const presented of [...trial.unknown, ...trial.ended.map((each) => each.presented)]) {
        const error = await refusal(presented);
        const shown = JSON.stringify([error.message, error.stack, error.details, Object.entries(error)]);
        const { bearer } = presented;
        if (bearer !== undefined) assert.equal(shown.includes(bearer.slice(-20)), false);
      }
    });
  });
}
