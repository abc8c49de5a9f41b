import { describe, expect, it } from 'vitest';
import { RefusingBreaker } from './refusing-breaker.ts';

function breaker() {
  const clock = { now: 0 };
  return { clock, circuit: new RefusingBreaker({ threshold: 3, openForMs: 1000, now: () => clock.now }) };
}

function fail(circuit: RefusingBreaker, times: number): void {
  for (let failure = 0; failure < times; failure += 1) circuit.failed();
}

describe('a breaker that refuses', () => {
  it('admits everything until so many failures came in a row', () => {
    const { circuit } = breaker();
    fail(circuit, 2);
    circuit.succeeded();
    fail(circuit, 2);
    expect(circuit.admit()).toBe(true);
    circuit.failed();
    expect(circuit.admit()).toBe(false);
    expect(circuit.state).toBe('open');
    expect(circuit.waitMs()).toBe(1000);
  });

  it('admits exactly one call when the time is over', () => {
    const { clock, circuit } = breaker();
    fail(circuit, 3);
    clock.now = 999;
    expect(circuit.admit()).toBe(false);
    clock.now = 1000;
    expect(circuit.state).toBe('half-open');
    expect(circuit.admit()).toBe(true);
    expect(circuit.admit()).toBe(false);
  });

  it('closes when that call succeeds, and waits again when it fails', () => {
    const { clock, circuit } = breaker();
    fail(circuit, 3);
    clock.now = 1000;
    circuit.admit();
    circuit.failed();
    expect(circuit.admit()).toBe(false);
    expect(circuit.waitMs()).toBe(1000);
    clock.now = 2000;
    expect(circuit.admit()).toBe(true);
    circuit.succeeded();
    expect(circuit.state).toBe('closed');
    fail(circuit, 2);
    expect(circuit.admit()).toBe(true);
  });
});
