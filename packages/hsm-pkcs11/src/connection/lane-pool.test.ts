import { describe, expect, it } from 'vitest';
import { LanePool, LanesBusy } from './lane-pool.ts';

const LONG_MS = 60_000;

/** Callers of a pool, and the order in which they got a lane. */
function callersOf(pool: LanePool) {
  const order: string[] = [];
  const refused: string[] = [];
  const call = (owner: string, units = 1) =>
    pool.acquire({ owner, units }, LONG_MS).then(
      (lane) => {
        order.push(owner);
        return lane;
      },
      (error: unknown) => {
        expect(error).toBeInstanceOf(LanesBusy);
        refused.push(owner);
        return -1;
      },
    );
  return { order, refused, call };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('the sessions of a token', () => {
  it('go to one who has none before one who has some', async () => {
    const pool = new LanePool(2, 100);
    const { order, call } = callersOf(pool);
    const lanes = await Promise.all([call('many'), call('many')]);
    for (let index = 0; index < 20; index += 1) void call('many');
    void call('one');
    expect([pool.busy, pool.queued]).toEqual([2, 21]);
    pool.release(lanes[0] ?? -1);
    await settle();
    expect(order).toEqual(['many', 'many', 'one']);
    expect([pool.busy, pool.queued]).toEqual([2, 20]);
  });

  it('are refused first to those who have most callers waiting', async () => {
    const pool = new LanePool(1, 4);
    const { refused, call } = callersOf(pool);
    await call('many');
    for (let index = 0; index < 4; index += 1) void call('many');
    void call('one');
    void call('one');
    await settle();
    expect(refused).toEqual(['many', 'many']);
    // Now each has two waiting, and neither may push out the other.
    void call('one');
    void call('many');
    await settle();
    expect(refused).toEqual(['many', 'many', 'one', 'many']);
    expect(pool.queued).toBe(4);
  });

  it('weigh long work more than short work', async () => {
    const pool = new LanePool(1, 100);
    const { order, call } = callersOf(pool);
    let lane = await call('first');
    for (let index = 0; index < 3; index += 1) void call('long', 12);
    for (let index = 0; index < 12; index += 1) void call('short');
    for (let index = 0; index < 15; index += 1) {
      pool.release(lane);
      await settle();
      lane = 0;
    }
    // Of the three long ones one is done beside every twelve short ones.
    expect(order.slice(1, 15).filter((owner) => owner === 'long')).toHaveLength(2);
  });

  it('are not waited for longer than was said', async () => {
    const pool = new LanePool(1, 4);
    const lane = await pool.acquire({ owner: 'a', units: 1 }, LONG_MS);
    await expect(pool.acquire({ owner: 'b', units: 1 }, 5)).rejects.toBeInstanceOf(LanesBusy);
    expect(pool.queued).toBe(0);
    pool.release(lane);
    expect(pool.busy).toBe(0);
    await expect(pool.acquire({ owner: 'b', units: 1 }, 5)).resolves.toBe(lane);
  });
});
