import { bearerCredential, type Dialect } from '@qnsp/http-edge';
import { makeFastPath } from './fast-path.ts';
import { findTarget } from './find-target.ts';
import { makePerform } from './perform.ts';
import { problemAnswer } from './problem.ts';
import type { QnspTarget } from './qnsp-target.ts';
import { tenantHeader } from './tenant.ts';
import type { OfferedFacts } from './handlers/service-facts.ts';

/**
 * The routes of the contract. They have whatever path no other dialect has.
 *
 * @param facts what the routes about the service itself answer from; with the version alone there is nothing at their paths
 */
export function qnspDialect(facts: OfferedFacts): Dialect<QnspTarget> {
  return {
    name: 'qnsp',
    source: 'api',
    claims: () => true,
    targetOf: findTarget,
    presented: (incoming, certificate) => {
      const presented = bearerCredential(incoming, certificate);
      const tenant = tenantHeader(incoming.headers);
      return tenant === undefined ? presented : { ...presented, tenant };
    },
    perform: makePerform(facts),
    problem: problemAnswer,
    fastPath: makeFastPath(),
  };
}
