import { BlockList, isIP } from 'node:net';

/**
 * Whether an address is one of the addresses or lies in one of the CIDR blocks. An unknown address matches nothing.
 */
export function matchesAddress(address: string | null, blocks: readonly string[]): boolean {
  if (address === null || isIP(address) === 0) return false;
  const list = new BlockList();
  for (const block of blocks) {
    const { base, family, prefix } = parseBlock(block);
    if (family !== 0) list.addSubnet(base, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

/** Whether the text is an address or a CIDR block. */
export function isAddressBlock(block: string): boolean {
  return parseBlock(block).family !== 0;
}

function parseBlock(block: string): { base: string; family: number; prefix: number } {
  const [base = '', length, ...rest] = block.split('/');
  const family = rest.length === 0 ? isIP(base) : 0;
  const bits = family === 4 ? 32 : 128;
  if (length === undefined) return { base, family, prefix: bits };
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  return prefix <= bits ? { base, family, prefix } : { base, family: 0, prefix: 0 };
}
