import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { FairJobs } from '../../src/scheduling/fair-jobs.ts';
import { poolJobs } from '../../src/scheduling/pool-jobs.ts';

/** Work that ends when it is told to, and the order in which it starts. */
function makeWork() {
  const started: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  const work = (name: string) => () => {
    started.push(name);
    const end = Promise.withResolvers<string>();
    ends.set(name, end);
    return end.promise;
  };
  const end = async (name: string) => {
    ends.get(name)?.resolve(name);
    await settle();
  };
  return { started, work, end, ends };
}

/** Lets everything happen that waits for nothing. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('jobs of which a few run at a time', () => {
  it('start at once while there is room, and answer what they answer', async () => {
    const jobs = new FairJobs({ slots: 2 });
    const { started, work, end } = makeWork();
    const one = jobs.run({ owner: 'a', units: 1 }, work('one'));
    const other = jobs.run({ owner: 'a', units: 1 }, work('other'));
    const third = jobs.run({ owner: 'a', units: 1 }, work('third'));
    expect(started).toEqual(['one', 'other']);
    expect(jobs.counts).toMatchObject({ waiting: 1, running: 2 });
    await end('other');
    expect(await other).toBe('other');
    expect(started).toEqual(['one', 'other', 'third']);
    await end('one');
    await end('third');
    expect(await Promise.all([one, third])).toEqual(['one', 'third']);
    expect(jobs.counts).toMatchObject({ waiting: 0, running: 0 });
  });

  it('let the next one start when one fails, at once or later', async () => {
    const jobs = new FairJobs({ slots: 1 });
    const { started, work, ends } = makeWork();
    const atOnce = jobs.run({ owner: 'a', units: 1 }, () => {
      throw new Error('at once');
    });
    const later = jobs.run({ owner: 'a', units: 1 }, work('later'));
    const next = jobs.run({ owner: 'a', units: 1 }, () => 7);
    await expect(atOnce).rejects.toThrow('at once');
    await settle();
    expect(started).toEqual(['later']);
    ends.get('later')?.reject(new Error('later'));
    await expect(later).rejects.toThrow('later');
    expect(await next).toBe(7);
  });

  it('leave while they wait when their client is gone, and are never started', async () => {
    const jobs = new FairJobs({ slots: 1 });
    const { started, work, end } = makeWork();
    const gone = new AbortController();
    const first = jobs.run({ owner: 'a', units: 1, client: { gone: gone.signal } }, work('first'));
    const left = jobs.run({ owner: 'a', units: 1, client: { gone: gone.signal } }, work('left'));
    const stays = jobs.run({ owner: 'a', units: 1 }, work('stays'));
    gone.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    // What has begun goes on: it cannot be interrupted.
    expect(jobs.counts).toMatchObject({ waiting: 1, running: 1 });
    await end('first');
    expect(await first).toBe('first');
    await end('stays');
    expect(await stays).toBe('stays');
    expect(started).toEqual(['first', 'stays']);
  });

  it('never wait for a client who was gone before', async () => {
    const jobs = new FairJobs({ slots: 1 });
    const { started, work, end } = makeWork();
    const first = jobs.run({ owner: 'a', units: 1 }, work('first'));
    const client = { gone: AbortSignal.abort(new Error('gone')) };
    await expect(jobs.run({ owner: 'b', units: 1, client }, work('late'))).rejects.toThrow('gone');
    await end('first');
    await first;
    expect(started).toEqual(['first']);
    expect(jobs.counts).toMatchObject({ waiting: 0, running: 0 });
  });

  it('leave nothing behind at a client who stays, however many of their jobs are done', async () => {
    const jobs = new FairJobs({ slots: 1 });
    let listening = 0;
    const signal = new AbortController().signal;
    const client = {
      gone: Object.assign(Object.create(null) as AbortSignal, {
        aborted: false,
        addEventListener: () => void (listening += 1),
        removeEventListener: () => void (listening -= 1),
        reason: signal.reason as unknown,
      }),
    };
    const all = Array.from({ length: 20 }, () => jobs.run({ owner: 'a', units: 1, client }, settle));
    expect(listening).toBe(19);
    await Promise.all(all);
    expect(listening).toBe(0);
  });

  it('tell how many have begun, and how long they waited', async () => {
    let time = 100;
    const jobs = new FairJobs({ slots: 1, now: () => time });
    const { work, end } = makeWork();
    const both = [jobs.run({ owner: 'a', units: 1 }, work('one')), jobs.run({ owner: 'a', units: 1 }, work('other'))];
    time = 140;
    await end('one');
    await end('other');
    await Promise.all(both);
    expect(jobs.counts).toEqual({ waiting: 0, running: 0, started: 2, waitedMs: 40 });
  });

  it('have at least one place', () => {
    for (const slots of [0, -1, 1.5, Number.NaN]) expect(() => new FairJobs({ slots })).toThrow(RangeError);
  });
});

describe('jobs on the thread pool', () => {
  it('leave a thread to what is short, whatever long ones wait', async () => {
    const jobs = poolJobs({ threads: 3, processors: 8 });
    const { started, work, end } = makeWork();
    const all = [1, 2, 3].map((each) => jobs.run({ owner: 'a', units: 57_000 }, work(`long ${each}`)));
    all.push(jobs.run({ owner: 'a', units: 530 }, work('short')));
    expect(started).toEqual(['long 1', 'long 2', 'short']);
    expect(jobs.counts()).toMatchObject({ short: { waiting: 0, running: 1 }, long: { waiting: 1, running: 2 } });
    for (const each of ['short', 'long 1', 'long 2', 'long 3']) await end(each);
    await Promise.all(all);
    expect(jobs.counts()).toMatchObject({ short: { started: 1 }, long: { started: 3 } });
  });

  it('take as many threads as there are for what is short', () => {
    const jobs = poolJobs({ threads: 3 });
    const { started, work } = makeWork();
    for (let each = 0; each < 5; each += 1) void jobs.run({ owner: 'a', units: 1 }, work('short'));
    expect(started).toHaveLength(3);
  });

  it('are no more than there are processors where they are long, and as many as threads where they are short', async () => {
    const jobs = poolJobs({ threads: 8, processors: 2 });
    const { started, work, end } = makeWork();
    for (let each = 1; each <= 4; each += 1) void jobs.run({ owner: 'a', units: 57_000 }, work(`long ${each}`));
    expect(started).toEqual(['long 1', 'long 2']);
    for (let each = 1; each <= 8; each += 1) void jobs.run({ owner: 'a', units: 999 }, work('short'));
    expect(jobs.counts()).toMatchObject({ short: { waiting: 0, running: 8 }, long: { waiting: 2, running: 2 } });
    await end('long 1');
    expect(jobs.counts()).toMatchObject({ long: { waiting: 1, running: 2 } });
  });

  it('have the processors that the process may use unless they are told otherwise', () => {
    const jobs = poolJobs({ threads: availableParallelism() + 8 });
    const { started, work } = makeWork();
    for (let each = 0; each < availableParallelism() + 8; each += 1)
      void jobs.run({ owner: 'a', units: 57_000 }, work('long'));
    expect(started).toHaveLength(availableParallelism());
  });

  it('run one after the other on a pool of a single thread', async () => {
    const jobs = poolJobs({ threads: 1 });
    const { started, work, end } = makeWork();
    const all = [1, 2].map((each) => jobs.run({ owner: 'a', units: 57_000 }, work(`long ${each}`)));
    expect(started).toEqual(['long 1']);
    await end('long 1');
    await end('long 2');
    await Promise.all(all);
  });
});
