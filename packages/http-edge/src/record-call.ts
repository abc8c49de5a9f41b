import { type Identity, KmsError } from '@qnsp/kms-core';
import type { KnownRefusal } from '@qnsp/kms-core/internal';
import { type MaybePromise, RefusedCredential } from '@qnsp/kms-core/ports';
import type { RequestFields } from './access-log.ts';
import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import type { CallTarget } from './call-target.ts';
import { knownAddress } from './request-facts.ts';
import type { Dialect, FailedCall } from './dialect.ts';
import type { Edge } from './edge.ts';
import { failureOf } from './failure.ts';
import { logFailure } from './log-failure.ts';
import { recordRefusal } from './record-refusal.ts';

const MOST_USER_AGENT = 256;
/** They follow a head that promised them. */
const STATUS_OF_PIECES = 200;

/** Answers a request that asks for nothing that there is. */
export function refuseCall<Target extends CallTarget>(
  { logs }: Pick<Edge, 'logs'>,
  dialect: Dialect<Target>,
  call: FailedCall<Target>,
  error: unknown,
): Answer {
  const answer = dialect.problem(failureOf(error), call);
  logFailure(logs, { requestId: call.requestId, wire: dialect.name, status: answer.status }, error);
  return answer;
}

/** Leaves the mark in the metrics and the line in the log of a call: of one that went well, or with the error of one that failed. */
export function recordCall(call: Call, { status }: Answer, failed?: { readonly error: unknown }): void {
  const { edge, wire, caller, signedIn } = call;
  const fields = fieldsOf(call, status);
  const tenantId = caller?.tenantId ?? signedIn?.identity.tenantId ?? undefined;
  edge.metrics.observe(wire.name, fields.operation, status, fields.durationMs, tenantId);
  if (failed === undefined) edge.logs.access(fields);
  else logFailure(edge.logs, { ...fields, ...refusedFields(call, failed.error) }, failed.error);
}

/** The pieces of an answer that goes out while they are made. What keeps one from being made gets a line in the log. */
export async function* recordedPieces(call: Call, pieces: AsyncIterable<string>): AsyncGenerator<string, void, void> {
  try {
    yield* pieces;
  } catch (error) {
    logFailure(call.edge.logs, fieldsOf(call, STATUS_OF_PIECES), error);
    throw error;
  }
}

function fieldsOf({ wire, requestId, target, caller, startedAt }: Call, status: number) {
  return {
    requestId,
    wire: wire.name,
    operation: target.kind.operation,
    status,
    durationMs: performance.now() - startedAt,
    tenantId: caller?.tenantId,
    subject: caller?.subject,
  } satisfies RequestFields;
}

/**
 * Answers a call that failed, and leaves its line and its mark. Of a credential that is known the refusal is in the evidence before it is
 * answered.
 */
export function recordFailure<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  error: unknown,
): MaybePromise<Answer> {
  const owner = call.edge.trail === undefined ? undefined : ownerOf(call, error);
  if (owner !== undefined && KmsError.is(error))
    return recordRefusal(call, owner, refusalOf(error)).then(() => answerFailure(call, dialect, error));
  return answerFailure(call, dialect, error);
}

/** Whose credential a call was refused with, where that is known and not in its own evidence: it ended, or its limit is used up. */
function ownerOf(
  { signedIn, evidence }: Call,
  error: unknown,
): Pick<Identity, 'subject' | 'tenantId' | 'credential'> | undefined {
  if (KmsError.is(error) && error.code === 'TOO_MANY_REQUESTS') return signedIn?.identity;
  return evidence === undefined && RefusedCredential.is(error) ? error : undefined;
}

function refusalOf(error: KmsError): KnownRefusal {
  return RefusedCredential.is(error) ? error : { code: error.code };
}

function answerFailure<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  error: unknown,
): Answer {
  const answer = dialect.problem(failureOf(error), call);
  recordCall(call, answer, { error });
  return answer;
}

/** Who was refused: nobody knows more of a call without a valid credential than where it came from and what it says it is. */
function refusedFields({ edge, incoming, signedIn }: Call, error: unknown): Partial<RequestFields> {
  const unknown = KmsError.is(error) && (error.code === 'UNAUTHORIZED' || error.code === 'TOO_MANY_REQUESTS');
  if (!unknown || signedIn !== undefined) return {};
  const userAgent = incoming.headers['user-agent'];
  return {
    address: knownAddress(incoming, edge.gatewayCredential),
    ...(userAgent === undefined ? {} : { userAgent: userAgent.slice(0, MOST_USER_AGENT) }),
    ...(RefusedCredential.is(error) ? { subject: error.subject, tenantId: error.tenantId ?? undefined } : {}),
  };
}
