import type { CallTarget } from '@qnsp/http-edge';
import type { OperationName } from '@qnsp/kms-core';
import { type Operation, OPERATIONS } from '@qnsp/kms-core/internal';
import { notOffered } from '../errors/aws-error.ts';
import type { Place } from '../names/arn.ts';
import { awsError } from '../errors/aws-error.ts';
import type { InputOf, Members } from './shapes.ts';

/** A call of an operation of AWS KMS. */
export interface AwsCall {
  /** The operation as AWS names it. */
  readonly action: string;
  /** As the catalogue of the core does. */
  readonly operation: OperationName;
  readonly op: Operation;
  readonly place: Place;
}

/** The members of an answer; `undefined` for one without a body. */
type AwsResult = Readonly<Record<string, unknown>> | undefined;

/** An operation of AWS KMS. */
export interface AwsOperation<M extends Members = Members> {
  /** As `X-Amz-Target` names it. */
  readonly action: string;
  readonly operation: OperationName;
  readonly members: M;
  readonly handle: (call: AwsCall, input: InputOf<M>) => Promise<AwsResult>;
}

/** What the head of a request asks for. */
export interface AwsTarget extends CallTarget {
  readonly aws: AwsOperation;
}

/** Gives the handler of an operation the types of its members. */
export function operation<M extends Members>(definition: AwsOperation<M>): AwsOperation {
  // What calls the handler has read the members by the same shapes.
  return definition as unknown as AwsOperation;
}

/** The permission that a call takes. */
export function permissionOf({ operation: name }: AwsCall) {
  const { permission } = OPERATIONS[name];
  // Of the operations that are offered none is open to everybody.
  if (permission === null) throw new Error(`${name} takes no permission.`);
  return permission;
}

/** Refuses what every use of a key can be asked for and this service does not do. */
export function requireOffered(input: {
  readonly GrantTokens?: readonly string[];
  readonly DryRun?: boolean;
  readonly Recipient?: unknown;
}): void {
  if (input.DryRun === true) throw notOffered('DryRun');
  if (input.Recipient !== undefined) throw notOffered('Recipient');
  // There are no grants, so nobody was ever given a token of one.
  if (input.GrantTokens !== undefined && input.GrantTokens.length > 0)
    throw awsError('BAD_REQUEST', 'InvalidGrantTokenException', 'The grant token is not one of this service.');
}

/** Bytes as JSON has them. */
export function blob(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
