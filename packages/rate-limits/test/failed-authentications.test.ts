import { KmsError } from '@qnsp/kms-core/ports';
import { describe, expect, test } from 'vitest';
import { FailedAuthentications } from '../src/index.ts';
import { networkOf } from '../src/network-of.ts';

/** A limiter on a clock of the test, and whether it admits an address. */
function limiter(nodes = 1, mostAddresses?: number) {
  let now = 1000;
  let refusals = 0;
  const limit = { perSecond: 20, burst: 100 };
  const onRefused = () => (refusals += 1);
  const subject = new FailedAuthentications({ limit, nodes: () => nodes, onRefused, now: () => now, mostAddresses });
  const refusal = (address: string): KmsError | undefined => {
    try {
      subject.admit(address);
      return undefined;
    } catch (error) {
      if (KmsError.is(error)) return error;
      throw error;
    }
  };
  return {
    subject,
    refusal,
    refusals: () => refusals,
    fail: (address: string, times: number) => {
      for (let each = 0; each < times; each += 1) subject.failed(address);
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

describe('addresses from which credentials come that do not hold', () => {
  test('are refused after the burst, told when to come again, and let in at the rate', () => {
    const { subject, refusal, fail, pass, refusals } = limiter();
    fail('192.0.2.1', 99);
    expect([subject.isAlert, refusal('192.0.2.1')]).toEqual([false, undefined]);
    fail('192.0.2.1', 1);
    expect(subject.isAlert).toBe(true);
    expect(refusal('192.0.2.1')).toMatchObject({ code: 'TOO_MANY_REQUESTS', retryAfterSeconds: 1 });
    expect([refusal('192.0.2.2'), refusals()]).toEqual([undefined, 1]);
    pass(51);
    expect([subject.isAlert, refusal('192.0.2.1')]).toEqual([false, undefined]);
    fail('192.0.2.1', 1);
    expect(refusal('192.0.2.1')?.code).toBe('TOO_MANY_REQUESTS');
  });

  test('are refused for as long as each of them is, whichever failed last', () => {
    const { subject, refusal, fail, pass } = limiter();
    fail('192.0.2.1', 99);
    pass(10);
    fail('192.0.2.2', 100);
    pass(5);
    fail('192.0.2.1', 1);
    pass(40);
    expect(refusal('192.0.2.1')).toBeUndefined();
    expect([subject.isAlert, refusal('192.0.2.2')?.code]).toEqual([true, 'TOO_MANY_REQUESTS']);
  });

  test('are not refused for longer because much came at once', () => {
    const { refusal, fail, pass } = limiter();
    fail('192.0.2.1', 100_000);
    pass(51);
    expect(refusal('192.0.2.1')).toBeUndefined();
  });

  test('share the limit of all nodes', () => {
    const { refusal, fail } = limiter(4);
    fail('192.0.2.1', 25);
    expect(refusal('192.0.2.1')?.code).toBe('TOO_MANY_REQUESTS');
  });

  test('are counted by the network of a subscriber where there are more than anybody can remember', () => {
    const { refusal, fail } = limiter();
    for (let host = 1; host <= 100; host += 1) fail(`2001:db8:0:7::${host.toString(16)}`, 1);
    expect(refusal('2001:db8::7:a:b:c:d')?.code).toBe('TOO_MANY_REQUESTS');
    expect(refusal('2001:db8:0:8::1')).toBeUndefined();
  });

  test('are forgotten where there are too many, the one first that would be let in soonest', () => {
    const { refusal, fail } = limiter(1, 100);
    fail('192.0.2.1', 100);
    for (let other = 0; other < 10_000; other += 1) fail(`10.0.${other >> 8}.${other & 255}`, 1);
    expect(refusal('192.0.2.1')?.code).toBe('TOO_MANY_REQUESTS');
  });
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:0001::', '2001:db8:1:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
])('the network of %s is %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
