import type { Answer, Call, Dialect } from '@qnsp/http-edge';
import { KmsError, SYSTEM_TENANT, type TenantId } from '@qnsp/kms-core';
import { SignatureVerifier } from '@qnsp/sigv4';
import { CALLER_IDENTITY, requireCallerIdentity } from './operations/caller-identity.ts';
import { headersOf, problemAnswer } from './answers/problem.ts';
import type { AwsCall, AwsTarget } from './request/aws-call.ts';
import { findTarget, isForAws, isForm } from './find-target.ts';
import { readInput, readObject } from './request/read-input.ts';
import { presentedSignature } from './request/request-signature.ts';
import { stsAnswer, stsProblem } from './answers/sts-answer.ts';
import { TenantAccounts } from './tenant-accounts.ts';

/** How AWS KMS is spoken. */
export interface AwsKmsOptions {
  /** The one region of the service, such as `us-east-1`. */
  readonly region: string;
  /** Milliseconds since 1970, for the time of signatures; default: that of this machine. */
  readonly clock?: (() => number) | undefined;
}

/**
 * The JSON interface of AWS KMS over the keys of the KMS. It has `POST /`, and needs `accessKeyVerifier` of the core among the verifiers.
 *
 * @example
 * import { awsKmsDialect } from '@qnsp/wire-aws-kms';
 * const { name } = awsKmsDialect({ region: 'us-east-1' });
 * console.log(name); // aws-kms
 */
export function awsKmsDialect({ region, clock = Date.now }: AwsKmsOptions): Dialect<AwsTarget> {
  const kms = new SignatureVerifier({ region, services: ['kms'], clock });
  const sts = new SignatureVerifier({ region, services: ['sts'], clock });
  const accounts = new TenantAccounts();
  return {
    name: 'aws-kms',
    source: 'aws-kms',
    claims: isForAws,
    targetOf: (incoming) => findTarget(incoming, CALLER_IDENTITY),
    presented: (incoming, certificate) => presentedSignature(isForm(incoming) ? sts : kms, incoming, certificate),
    perform: async (call, bytes) => {
      const { edge, evidence, requestId, target, incoming } = call;
      const { aws } = target;
      const isSts = aws === CALLER_IDENTITY;
      if (isSts) requireCallerIdentity(bytes);
      const body = isSts ? {} : readObject(bytes, incoming.headers['content-type']);
      const tenantId = tenantOf(call);
      const caller = call.settle(tenantId);
      const input = readInput(aws.members, body);
      const pay = call.isLimited ? call.bill()?.payer() : undefined;
      const place = { region, account: await accounts.of(edge.kms, tenantId) };
      const op = { kms: edge.kms, caller, evidence, pay, client: call };
      const awsCall: AwsCall = { action: aws.action, operation: aws.operation, op, place };
      const result = await aws.handle(awsCall, input);
      return isSts ? stsAnswer(requestId, aws.action, result ?? {}) : answerOf(requestId, result);
    },
    problem: (failure, failed) => {
      const answer = problemAnswer(failure, failed);
      return failed.target?.aws === CALLER_IDENTITY ? stsProblem(answer, failed.requestId) : answer;
    },
  };
}

/** The tenant of the credential, which everything is of that a gateway says the call is for. */
function tenantOf({ signedIn, incoming }: Call): TenantId {
  const tenantId = signedIn?.identity.tenantId ?? SYSTEM_TENANT;
  const named = incoming.headers['x-qnsp-tenant'] ?? tenantId;
  if (tenantId === SYSTEM_TENANT || named !== tenantId)
    throw new KmsError('TENANT_MISMATCH', 'The request names a tenant other than that of the credential.');
  return tenantId;
}

function answerOf(requestId: string, result: Readonly<Record<string, unknown>> | undefined): Answer {
  const headers = headersOf(requestId, 'application/x-amz-json-1.1');
  return { status: 200, headers, body: result === undefined ? '' : JSON.stringify(result) };
}
