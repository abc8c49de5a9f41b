import type { IncomingMessage } from 'node:http';
import {
  type EvidenceTrail,
  type Kms,
  KmsError,
  type OperationName,
  type RefusedCredential,
  SYSTEM_TENANT,
} from '@qnsp/kms-core';
import { beginEvidence } from './begin-evidence.ts';
import { callerAddress } from './caller-address.ts';
import type { EdgeLogs } from './edge-logs.ts';

/** A refused token leaves at most one event in this time, and those of one tenant at most this many. */
const PERIOD_MS = 60_000;
const MOST_OF_A_TENANT = 20;
/**
 * How many tokens and tenants are remembered: more than can arrive in a period from somebody who has that many revoked
 * tokens.
 */
const MOST_REMEMBERED = 10_000;

/** What the edge has that a refusal is recorded with. */
interface RefusalParts {
  readonly kms: Pick<Kms, 'clock'>;
  readonly logs: EdgeLogs;
  readonly gatewayCredential?: string | undefined;
  readonly trail?: EvidenceTrail | undefined;
}

/**
 * The evidence of tokens that are known but no longer accepted: somebody has one that was revoked or has expired. Its
 * holder may present it without end, so not every use leaves an event; an unknown token never does, as anyone can make
 * one up.
 */
export class RefusedTokens {
  readonly #events = new Map<string, { readonly since: number; count: number }>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Records a refusal where it is one to be recorded. Never throws: the call did nothing, and is refused all the same. */
  async record(
    edge: RefusalParts,
    operation: OperationName,
    incoming: IncomingMessage,
    requestId: string,
    refused: RefusedCredential,
  ): Promise<void> {
    const { kms, trail, logs } = edge;
    if (trail === undefined || !this.#takes(refused)) return;
    const { subject, tenantId } = refused;
    const event = beginEvidence(trail, kms.clock, operation, refused, incoming, requestId);
    try {
      event?.requireRoom();
      event?.actsFor(tenantId ?? SYSTEM_TENANT, callerAddress(incoming, edge.gatewayCredential));
      await event?.refused();
    } catch (error) {
      if (!(error instanceof KmsError)) throw error;
      logs.log.warn(
        { requestId, tokenId: subject, reason: error.message },
        'the refusal of a token could not be recorded as evidence',
      );
    }
  }

  #takes({ subject, tenantId }: RefusedCredential): boolean {
    return this.#count(`token ${subject}`, 1) && this.#count(`tenant ${tenantId ?? ''}`, MOST_OF_A_TENANT);
  }

  #count(name: string, most: number): boolean {
    const now = this.#now();
    const held = this.#events.get(name);
    if (held !== undefined && now - held.since < PERIOD_MS) {
      held.count += 1;
      return held.count <= most;
    }
    this.#events.delete(name);
    this.#events.set(name, { since: now, count: 1 });
    const [oldest] = this.#events.keys();
    if (this.#events.size > MOST_REMEMBERED && oldest !== undefined) this.#events.delete(oldest);
    return true;
  }
}
