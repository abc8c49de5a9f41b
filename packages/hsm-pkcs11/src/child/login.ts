import { CKR, CKU_USER } from '../protocol/cryptoki.ts';
import { type Cryptoki, type Handle, isCkr } from './driver.ts';

/** Logs in once. All sessions of a process share the login, so that another one may have been faster. */
export function tryLogin(cryptoki: Cryptoki, session: Handle, pin: string): void {
  try {
    cryptoki.C_Login(session, CKU_USER, pin);
  } catch (error) {
    if (!isCkr(error, CKR.userAlreadyLoggedIn)) throw error;
  }
}
