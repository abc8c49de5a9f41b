import { AddressSet } from './address-set.ts';
import type { Caller } from './caller.ts';
import { coveredBy } from './covered-permissions.ts';
import type { Permission } from './permissions.ts';
import type { PolicyConditions, PolicyDocument, PolicyStatement } from '../model/policy-document.ts';

/** What a policy says to one call: a matching `deny` wins, and where no statement matches it says nothing. */
export type PolicyVerdict = 'allowed' | 'denied' | 'silent';

/** A statement as a call is compared with it: each list is a set, and each text is parsed. */
interface CompiledStatement {
  readonly denies: boolean;
  readonly permissions: ReadonlySet<Permission>;
  /** `null` is every key. */
  readonly resources: ReadonlySet<string> | null;
  /** `null` is everyone. */
  readonly principals: ReadonlySet<string> | null;
  readonly holds: ((caller: Caller, now: number) => boolean) | null;
}

/** A policy that is ready to be asked. */
export class CompiledPolicy {
  readonly #statements: readonly CompiledStatement[];

  constructor({ statements }: PolicyDocument) {
    this.#statements = statements.map(compileStatement);
  }

  /** What it says to a caller who wants to do something with a key. */
  ask(caller: Caller, permission: Permission, keyId: string, now: number): PolicyVerdict {
    let verdict: PolicyVerdict = 'silent';
    for (const { denies, permissions, resources, principals, holds } of this.#statements) {
      if (
        (!denies && verdict === 'allowed') ||
        !permissions.has(permission) ||
        resources?.has(keyId) === false ||
        principals?.has(caller.subject) === false ||
        holds?.(caller, now) === false
      )
        continue;
      if (denies) return 'denied';
      verdict = 'allowed';
    }
    return verdict;
  }
}

const compiled = new WeakMap<PolicyDocument, CompiledPolicy>();

/** The policy, ready to be asked: made once for as long as the record that it was read with is held. */
export function compiledPolicy(document: PolicyDocument): CompiledPolicy {
  const made = compiled.get(document);
  if (made !== undefined) return made;
  const policy = new CompiledPolicy(document);
  compiled.set(document, policy);
  return policy;
}

function compileStatement({ effect, actions, resources, principals, conditions }: PolicyStatement): CompiledStatement {
  return {
    denies: effect === 'deny',
    permissions: coveredBy(actions),
    resources: resources.includes('*') ? null : new Set(resources.map((resource) => resource.toLowerCase())),
    principals: principals === undefined || principals.includes('*') ? null : new Set(principals),
    holds: conditions === undefined ? null : compileConditions(conditions),
  };
}

function compileConditions({ tenant, ip, time, mfa }: PolicyConditions): (caller: Caller, now: number) => boolean {
  const tenants = tenant && new Set(tenant.map((tenantId) => tenantId.toLowerCase()));
  // Parsed when it is first needed: a list of keys asks for one permission, which most statements are not about.
  let addresses: AddressSet | undefined;
  const notBefore = time?.notBefore === undefined ? Number.NEGATIVE_INFINITY : Date.parse(time.notBefore);
  const notAfter = time?.notAfter === undefined ? Number.POSITIVE_INFINITY : Date.parse(time.notAfter);
  return (caller, now) => {
    if (tenants?.has(caller.tenantId) === false) return false;
    if (mfa !== undefined && mfa !== caller.attributes.mfa) return false;
    if (now < notBefore || now >= notAfter) return false;
    return ip === undefined || (addresses ??= new AddressSet(ip)).has(caller.attributes.ip);
  };
}
