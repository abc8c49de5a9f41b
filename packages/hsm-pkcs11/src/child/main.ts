import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CKF, CKR } from '../protocol/cryptoki.ts';
import type { FromChild, FromLane, LaneData, ToChild } from '../protocol/messages.ts';
import { type Cryptoki, FaultError, faultOf, type Handle, isCkr, loadModule } from './driver.ts';
import { tryLogin } from './login.ts';
import { chooseSlot, initialisedSlots, type Slot } from './slots.ts';

// The process in which a vendor's module runs, so that its crash or hang is not one of the service.
const LANE = new URL(`./lane${extname(import.meta.url)}`, import.meta.url);

/** What C_Initialize returns when the module does not find its own configuration, or what that refers to. */
const NOT_SET_UP: readonly number[] = [CKR.generalError, CKR.functionFailed, CKR.argumentsBad];

interface Opened {
  readonly modulePath: string;
  readonly cryptoki: Cryptoki;
  readonly slot: Slot;
}

interface LoggedIn {
  readonly cryptoki: Cryptoki;
  /** Stays open for as long as the process: the token logs out with the last session. */
  readonly session: Handle;
  readonly mechanisms: readonly number[];
}

let opened: Opened | undefined;
let loggedIn: LoggedIn | undefined;
let lanes: readonly Worker[] = [];

function nameOf(error: unknown): string {
  const fault = faultOf(error);
  return fault.type === 'ckr' ? fault.name : fault.type;
}

function tell(message: FromChild): void {
  process.send?.(message);
}

function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    tell({ kind: 'failed', fault: faultOf(error) });
  }
}

function open(message: Extract<ToChild, { kind: 'open' }>): void {
  const cryptoki = loadModule(message.modulePath);
  try {
    cryptoki.C_Initialize({ flags: CKF.osLockingOk });
  } catch (error) {
    if (isCkr(error, ...NOT_SET_UP))
      throw new FaultError({ type: 'initialise', message: nameOf(error) }, { cause: error });
    if (!isCkr(error, CKR.cryptokiAlreadyInitialized)) throw error;
  }
  const slot = chooseSlot(initialisedSlots(cryptoki), message);
  opened = { modulePath: message.modulePath, cryptoki, slot };
  tell({ kind: 'token', token: slot.token, slotId: slot.id });
}

function login({ modulePath, cryptoki, slot }: Opened, pin: string, count: number): void {
  const session: Handle = cryptoki.C_OpenSession(slot.handle, CKF.serialSession | CKF.rwSession);
  tryLogin(cryptoki, session, pin);
  const mechanisms = cryptoki.C_GetMechanismList(slot.handle);
  loggedIn = { cryptoki, session, mechanisms };
  const workerData: LaneData = { modulePath, slot: slot.handle, token: slot.token };
  let starting = count;
  lanes = Array.from({ length: count }, () => {
    const lane = new Worker(LANE, { workerData });
    lane.on('message', (message: FromLane) => {
      if (message.kind !== 'lane-ready') {
        tell(message);
        if (message.kind === 'answer' && message.value instanceof Uint8Array) message.value.fill(0);
        return;
      }
      starting -= 1;
      if (starting === 0) tell({ kind: 'ready', mechanisms });
    });
    // A lane that ends for whatever reason takes the process with it; the service starts another.
    lane.on('error', (error) => {
      tell({ kind: 'failed', fault: faultOf(error) });
    });
    return lane;
  });
}

function loginAgain({ cryptoki, session, mechanisms }: LoggedIn, pin: string): void {
  tryLogin(cryptoki, session, pin);
  tell({ kind: 'ready', mechanisms });
}

function call(message: Extract<ToChild, { kind: 'call' }>): void {
  lanes[message.lane]?.postMessage(message);
  if (message.request.op === 'seal') message.request.plaintext.fill(0);
}

async function close(): Promise<void> {
  await Promise.all(lanes.map((lane) => lane.terminate()));
  opened?.cryptoki.C_Finalize();
  process.disconnect?.();
}

function end(): void {
  // Not exit(): that waits for threads, and one of them may hang in the module.
  process.kill(process.pid, 'SIGKILL');
}

process.on('disconnect', end);
process.on('message', (message: ToChild) => {
  switch (message.kind) {
    case 'open':
      attempt(() => open(message));
      break;
    case 'login':
      attempt(() => {
        if (opened === undefined) throw new Error('A login came before its token was chosen.');
        login(opened, message.pin, message.lanes);
      });
      break;
    case 'login-again':
      attempt(() => {
        if (loggedIn === undefined) throw new Error('A second login came before the first.');
        loginAgain(loggedIn, message.pin);
      });
      break;
    case 'call':
      call(message);
      break;
    case 'close':
      close().catch(end);
  }
});
