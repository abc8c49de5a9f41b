import { openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { type Connection, openConnection } from './connection.ts';
import type { Answered, SteadyLoad } from './steady-load.ts';

const NANOSECONDS_OF_MS = 1e6;
const SCHEDSTAT = openSync('/proc/thread-self/schedstat', 'r');
const text = Buffer.alloc(64);
const never = new Int32Array(new SharedArrayBuffer(4));

/** Milliseconds for which this thread was ready to run and had no processor, so far. */
function waitedMs(): number {
  const length = readSync(SCHEDSTAT, text, 0, text.length, 0);
  return Number(text.toString('latin1', 0, length).split(' ', 2)[1]) / NANOSECONDS_OF_MS;
}

async function send({ port, connections, request, perSecond, count }: SteadyLoad): Promise<readonly Answered[]> {
  const answers = Promise.withResolvers<readonly Answered[]>();
  const bytes = Buffer.from(request);
  const open = Array.from({ length: connections }, () => openConnection({ host: '127.0.0.1', port }, answers.reject));
  const free: Connection[] = await Promise.all(open);
  const all = [...free];
  const answered: Answered[] = [];
  const started = performance.now();
  const dueAt = (index: number) => started + (index * 1000) / perSecond;
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;

  // Counts what is sent and answered.
  let turn = 0;

  /** @param before how long this thread had waited for a processor when it fell asleep until the first of them was due */
  const sendDue = (before = waitedMs()) => {
    clearTimeout(timer);
    for (let base = before; sent < count && dueAt(sent) <= performance.now(); base = waitedMs()) {
      const connection = free.pop();
      if (connection === undefined) return;
      const due = dueAt(sent);
      sent += 1;
      const late = waitedMs() - base;
      const asked = { turn: 0, waited: 0 };
      connection.send(bytes, (status, body) => {
        if (status !== 200) answers.reject(new Error(`the load was answered ${status}: ${body.toString('utf8')}`));
        // What this thread waited on behalf of others may have been before the answer came.
        const noticed = asked.turn === turn ? waitedMs() - asked.waited : 0;
        turn += 1;
        answered.push({ took: performance.now() - due, ownWait: late + noticed });
        free.push(connection);
        if (answered.length === count) answers.resolve(answered);
        else sendDue();
      });
      turn += 1;
      asked.turn = turn;
      // Not from before it was sent: while a thread waits for a processor to end that, the server works.
      asked.waited = waitedMs();
    }
    if (sent < count) sleep();
  };
  const sleep = () => {
    const left = Math.max(0, dueAt(sent) - performance.now());
    if (free.length < connections) {
      // What is answered meanwhile may keep this thread from sleeping until the next is due: what it waits then is not counted.
      timer = setTimeout(sendDue, left);
      return;
    }
    const before = waitedMs();
    // Nothing can come meanwhile, and a timer is too coarse.
    Atomics.wait(never, 0, 0, left);
    sendDue(before);
  };
  sendDue();
  try {
    return await answers.promise;
  } finally {
    clearTimeout(timer);
    for (const connection of all) connection.close();
  }
}

if (parentPort === null) throw new Error('runs in a thread of its own');
const port = parentPort;
port.on('message', (load: SteadyLoad) => void send(load).then((answers) => port.postMessage(answers)));
