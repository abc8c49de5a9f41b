import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressSet, isAddressBlock } from '../src/access/address-set.ts';

/** What Node makes of the same blocks, as another opinion. */
function blockList(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [base = '', length] = block.split('/');
    const family = isIP(base);
    list.addSubnet(base, length === undefined ? (family === 4 ? 32 : 128) : Number(length), `ipv${family as 4 | 6}`);
  }
  return list;
}

// Few different bits, so that addresses and blocks meet.
const byte = fc.constantFrom(0, 1, 10, 127, 128, 255);
const ipv4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'));
const group = fc.constantFrom('0', '1', 'ffff', 'FE80', '2001', 'db8', '00ab');
const ipv6 = fc.oneof(
  fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(':')),
  fc
    .tuple(fc.array(group, { maxLength: 3 }), fc.array(group, { maxLength: 3 }))
    .map(([head, tail]) => `${head.join(':')}::${tail.join(':')}`),
  ipv4.map((address) => `::ffff:${address}`),
  ipv4.map((address) => `2001:db8::${address}`),
);
const address = fc.oneof(ipv4, ipv6);
const block = fc.oneof(
  address,
  fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([base, length]) => `${base}/${length}`),
  fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([base, length]) => `${base}/${length}`),
);

describe('a set of addresses', () => {
  it('holds what Node holds to be in the same blocks', () => {
    let found = 0;
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 8 }),
        fc.array(address, { minLength: 1, maxLength: 8 }),
        (blocks, asked) => {
          const set = new AddressSet(blocks);
          const list = blockList(blocks);
          for (const one of asked) {
            const expected = list.check(one, isIP(one) === 4 ? 'ipv4' : 'ipv6');
            if (expected) found += 1;
            expect({ one, blocks, in: set.has(one) }).toEqual({ one, blocks, in: expected });
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(found).toBeGreaterThan(200);
  });

  it('holds both ends of a block and nothing beside it', () => {
    const set = new AddressSet(['10.1.2.0/23', '2001:db8::/33']);
    for (const inside of ['10.1.2.0', '10.1.3.255', '2001:db8::', '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff'])
      expect({ inside, in: set.has(inside) }).toEqual({ inside, in: true });
    for (const outside of ['10.1.1.255', '10.1.4.0', '2001:db8:8000::', '2001:db7:ffff::', 'nonsense', '', null])
      expect({ outside, in: set.has(outside) }).toEqual({ outside, in: false });
  });

  it('takes for an address what Node does', () => {
    const piece = fc.constantFrom(
      '0',
      '1',
      '01',
      '255',
      '256',
      'ff',
      'FFFF',
      '12345',
      'g',
      '.',
      ':',
      '::',
      '%',
      'e0',
      '-',
      ' ',
      '1.2.3.4',
    );
    const anything = fc.oneof(
      address,
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
      fc.tuple(address, piece, fc.nat(40)).map(([text, part, at]) => text.slice(0, at) + part + text.slice(at)),
      fc.tuple(address, fc.nat(40)).map(([text, at]) => text.slice(0, at) + text.slice(at + 1)),
      fc.string(),
    );
    let addresses = 0;
    fc.assert(
      fc.property(anything, (text) => {
        fc.pre(!text.includes('/'));
        if (isIP(text) !== 0) addresses += 1;
        expect({ text, is: isAddressBlock(text) }).toEqual({ text, is: isIP(text) !== 0 });
      }),
      { numRuns: 20_000 },
    );
    expect(addresses).toBeGreaterThan(2000);
  });

  it('takes nothing for a block that Node would not', () => {
    for (const bad of [
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/',
      '10.0.0.0/-1',
      '10.0.0/8',
      '::1/8/8',
      'host',
      '/8',
      '10.0.0.0/1e1',
    ])
      expect({ bad, is: isAddressBlock(bad) }).toEqual({ bad, is: false });
    for (const good of ['10.0.0.1', '10.0.0.0/0', '::/0', 'fe80::1%eth0', '::ffff:10.0.0.1/128'])
      expect({ good, is: isAddressBlock(good) }).toEqual({ good, is: true });
  });
});
