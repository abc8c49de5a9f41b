import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/scheduling/turns.ts';

/** Works on the processor, as the check of a record does. */
function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

const round = () => new Promise<void>((resolve) => setImmediate(resolve));

async function loop(owner: string, records: number, each: (index: number) => void): Promise<void> {
  const turns = new Turns(owner);
  for (let index = 0; index < records; index += 1) {
    await turns.pause();
    each(index);
  }
}

describe('the turns of loops over records', () => {
  it('let the event loop go round after every few records', async () => {
    let worked = 0;
    let longest = 0;
    const done = loop('tenant', 60, () => {
      busy(1);
      worked += 1;
    });
    for (let seen = worked; worked < 60; seen = worked) {
      await round();
      longest = Math.max(longest, worked - seen);
    }
    await done;
    // Two of a millisecond fit into a turn, and the one in which it ends.
    expect(longest).toBeLessThanOrEqual(3);
  });

  it('go to one loop in each round, however many wait', async () => {
    let worked = 0;
    let longest = 0;
    const loops = Array.from({ length: 20 }, (_, index) =>
      loop(`tenant ${index}`, 6, () => {
        busy(1);
        worked += 1;
      }),
    );
    // Each has a first turn when it begins.
    await round();
    for (let seen = worked; worked < 120; seen = worked) {
      await round();
      longest = Math.max(longest, worked - seen);
    }
    await Promise.all(loops);
    expect(longest).toBeLessThanOrEqual(3);
  });

  it('go round the tenants, so that one with many loops does not hold up another', async () => {
    const order: string[] = [];
    const many = Array.from({ length: 10 }, () => loop('many', 8, () => busy(1)).then(() => order.push('many')));
    const one = loop('one', 8, () => busy(1)).then(() => order.push('one'));
    await Promise.all([...many, one]);
    // In the order of asking it would have been among the last.
    expect(order.indexOf('one')).toBeLessThanOrEqual(2);
  });

  it('take no turn for what is done at once', () => {
    const pauses = Array.from({ length: 50 }, () => new Turns('tenant').pause());
    // Between two of them the machine may do something else for longer than a turn.
    expect(pauses.filter((pause) => pause === undefined).length).toBeGreaterThan(25);
  });
});
