import { parentPort, workerData } from 'node:worker_threads';
import { CKF, CKR } from '../protocol/cryptoki.ts';
import type { Answers, Fault, FromLane, LaneData, Request, ToLane } from '../protocol/messages.ts';
import { quirksOf } from '../protocol/quirks.ts';
import { FaultError, faultOf, type Handle, isCkr, loadModule } from './driver.ts';
import { HandleCache } from './handle-cache.ts';
import { decryptsAnything, perform } from './perform.ts';

/** What a new session fixes: the old one is gone, or a failed call left an operation open in it. */
const SESSION_LOST: readonly number[] = [
  CKR.sessionClosed,
  CKR.sessionHandleInvalid,
  CKR.operationActive,
  CKR.operationNotInitialized,
];
const KEY_MOVED: readonly number[] = [CKR.keyHandleInvalid, CKR.objectHandleInvalid];

// One thread holds one session: calls of PKCS #11 block, and this thread is there to be blocked.
const { modulePath, slot, token } = workerData as LaneData;
const quirks = quirksOf(token);
const port = parentPort;
if (port === null) throw new Error('A lane runs in a worker thread.');

const cryptoki = loadModule(modulePath);
const keys = new HandleCache();
let session: Handle | null = null;

function openSession(): Handle {
  session ??= cryptoki.C_OpenSession(Buffer.from(slot), CKF.serialSession | CKF.rwSession);
  return session;
}

/** A session in which anything failed is not used again: a failed call can leave its operation open forever. */
function discardSession(): void {
  if (session === null) return;
  const lost = session;
  session = null;
  try {
    cryptoki.C_CloseSession(lost);
  } catch (error) {
    // It may already be closed, which is what was wanted; anything worse shows in the next call.
    if (faultOf(error).type !== 'ckr') throw error;
  }
}

/** Prepares a second try where one can help. */
function canTryAgain(fault: Fault, request: Request): boolean {
  if (fault.type !== 'ckr') return false;
  if (SESSION_LOST.includes(fault.code)) return true;
  if (request.op === 'open' && quirks.unclearDecryptFailures.includes(fault.code)) return true;
  if (KEY_MOVED.includes(fault.code) && 'ref' in request) {
    keys.clear();
    return true;
  }
  return false;
}

function run(request: Request): Answers[keyof Answers] {
  try {
    return perform({ cryptoki, handle: openSession(), quirks }, keys, request);
  } catch (error) {
    discardSession();
    if (!canTryAgain(faultOf(error), request)) throw error;
  }
  try {
    return perform({ cryptoki, handle: openSession(), quirks }, keys, request);
  } catch (error) {
    discardSession();
    if (request.op !== 'open' || !isCkr(error, ...quirks.unclearDecryptFailures)) throw error;
    if (!decryptsAnything({ cryptoki, handle: openSession(), quirks }, keys, request.ref)) throw error;
    throw new FaultError(
      { type: 'ckr', code: CKR.encryptedDataInvalid, name: 'CKR_ENCRYPTED_DATA_INVALID' },
      { cause: error },
    );
  }
}

port.on('message', ({ call, request }: ToLane) => {
  let reply: FromLane;
  try {
    reply = { kind: 'answer', call, value: run(request) };
  } catch (error) {
    reply = { kind: 'fault', call, fault: faultOf(error) };
  } finally {
    wipeRequest(request);
  }
  port.postMessage(reply);
  if (reply.kind === 'answer' && reply.value instanceof Uint8Array) reply.value.fill(0);
});
port.postMessage({ kind: 'lane-ready' } satisfies FromLane);

function wipeRequest(request: Request): void {
  if (request.op === 'seal') request.plaintext.fill(0);
}
