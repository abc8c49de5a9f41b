import type { MaybePromise, PresentedCertificate } from '@qnsp/kms-core/ports';
import type { Answer } from './answer.ts';
import type { Call, Presented, Wire } from './call.ts';
import type { CallTarget } from './call-target.ts';
import type { Failure } from './failure.ts';
import type { RequestHead } from './request-head.ts';

/** What became known of a request that failed, for the shape of its answer. */
export interface FailedCall<Target extends CallTarget = CallTarget> {
  readonly requestId: string;
  /** Absent where nobody could tell what the request was, such as one that is no HTTP. */
  readonly incoming?: RequestHead | undefined;
  /** Absent where the request asked for nothing that the dialect has. */
  readonly target?: Target | undefined;
}

/**
 * One HTTP interface over the life of a call: its addresses, its credentials, its shapes of requests, answers and errors.
 * Whatever is the same for all of them, the edge does.
 */
export interface Dialect<Target extends CallTarget = CallTarget> extends Wire {
  /** Whether a request is of this dialect. The first one of a service that says so has it. */
  claims(incoming: RequestHead): boolean;
  /**
   * What a request asks for, or the answer where that follows from its head alone.
   *
   * @throws KmsError for an address or a method that the dialect does not have
   */
  targetOf(incoming: RequestHead): Target | Answer;
  /**
   * What a request presents to prove who makes it. Throws `UNAUTHORIZED` where that is nothing that the dialect knows.
   *
   * @param certificate what its connection presents; part of the result, and enough where the request has nothing else
   */
  presented(incoming: RequestHead, certificate: PresentedCertificate | undefined): Presented;
  /**
   * Does what a call asks for: reads the body, settles the tenant (`call.settle`), runs the operation and writes its answer.
   * Without a promise where the operation needs none.
   *
   * @throws KmsError for everything that goes wrong
   */
  perform(call: Call<Target>, body: Buffer): MaybePromise<Answer>;
  /** The answer to a request that failed; a shape for every code of an error. */
  problem(failure: Failure, failed: FailedCall<Target>): Answer;
  /** Most requests, found with less work; see {@link FastPath}. */
  readonly fastPath?: FastPath<Target> | undefined;
}

/**
 * Finds what a request asks for without the router of a framework, and reads its body before anything else. All that is decided
 * about a call is decided as for any other.
 */
export interface FastPath<Target extends CallTarget = CallTarget> {
  /** Requests with a body of more bytes take the general path. */
  readonly bodyBytes: number;
  /** `undefined` for a request that takes the general path. */
  targetOf(incoming: RequestHead): Target | undefined;
}
