import { spawn } from 'node:child_process';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const SAME_SIGNAL_MS = 500;

/** Runs a command to its end with the caller's terminal, passing signals on; resolves to how it ended. */
export function runChild(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options });
    const passedOn = new Map();
    const forward = (signal) => {
      // One Ctrl-C arrives twice: from the terminal and from npm. The child is to see it once.
      const now = Date.now();
      if (now - (passedOn.get(signal) ?? 0) < SAME_SIGNAL_MS) return;
      passedOn.set(signal, now);
      child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    const settle = (finish, value) => {
      for (const signal of FORWARDED) process.removeListener(signal, forward);
      finish(value);
    };
    child.once('error', (error) => settle(reject, error));
    child.once('exit', (code, signal) => settle(resolve, { code, signal }));
  });
}

/** Ends this process the way the child ended. */
export function endLike({ code, signal }) {
  if (signal === null) process.exit(code);
  process.kill(process.pid, signal);
}
