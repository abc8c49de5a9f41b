import type { BenchResult } from '../bench.ts';
import { compareSides, type SliceOptions, type Step } from '../slices.ts';
import { type LoadedService, type SampledKey, type Size, startLoadedService } from './loaded-service.ts';

/** How much slower an operation may be on the large side. */
const TARGET = 2;
const PLAINTEXT = Buffer.alloc(64, 'a').toString('base64');

export interface ScaleOptions extends SliceOptions {
  readonly base: Size;
  readonly large: Size;
}

/** Loads both sizes on one server and compares each operation on the two. */
export async function measureScale(
  serverUrl: string,
  say: (progress: string) => void,
  options: ScaleOptions,
): Promise<BenchResult> {
  const wanted = (options.slices + 1) * options.calls;
  const sides: LoadedService[] = [];
  const rows: string[][] = [];
  let holds = true;
  try {
    for (const size of [options.base, options.large]) {
      const side = await startLoadedService(serverUrl, size, wanted * OPERATIONS.length);
      sides.push(side);
      say(`${count(size)} keys loaded in ${Math.round(side.loadSeconds)} s`);
    }
    const [base, large] = sides;
    if (base === undefined || large === undefined) throw new Error('both sides were started');
    for (const side of sides) await settle(side);
    for (const [number, { name, on }] of OPERATIONS.entries()) {
      // Each operation has keys of its own: a key that was read before is warmer than the next one.
      const from = number * wanted;
      const { base: before, other, ratio } = await compareSides(on(base, from), on(large, from), options);
      const held = ratio <= TARGET;
      holds &&= held;
      rows.push([name, milliseconds(before), milliseconds(other), `${ratio.toFixed(2)}×`, held ? 'yes' : '**no**']);
      say(`${name}: ${ratio.toFixed(2)}×`);
    }
    return {
      columns: ['operation', `${count(options.base)} keys`, `${count(options.large)} keys`, 'ratio', `≤ ${TARGET}×`],
      rows,
      holds,
      conditions: [
        `one caller, one call after the other; medians of ${options.slices} slices of ${options.calls} calls, in turns; ` +
          'the ratio is the median of the ratios of neighbouring slices',
        'both databases on one PostgreSQL server with `shared_buffers` of 512 MB and durable commits; all calls but the ' +
          'read of the store go over HTTP, through one service for each database',
        'every key is read from the database and unsealed for its call (`KMS_CACHE_ENABLED=false`); master keys of ' +
          'tenants are in memory',
        `loading the ${count(options.large)} keys took ${Math.round(large.loadSeconds)} s`,
      ],
    };
  } finally {
    for (const side of sides) await side.end();
  }
}

interface Operation {
  readonly name: string;
  /** The operation on one side, beginning with this key of the sample. */
  readonly on: (side: LoadedService, from: number) => Step;
}

const OPERATIONS: readonly Operation[] = [
  {
    name: 'read of a key by the store',
    on: (side, from) => ofKey(side, from, ({ tenantId, keyId }) => found(side, tenantId, keyId)),
  },
  {
    name: 'encrypt under a cold key',
    on: (side, from) =>
      ofKey(side, from, ({ tenantId, keyId }) =>
        side.request('POST', tenantId, `keys/${keyId}/encrypt`, { plaintext: PLAINTEXT }),
      ),
  },
  {
    name: 'list of 50 keys',
    on: (side) => ofTenant(side, (tenantId) => side.request('GET', tenantId, 'keys?limit=50')),
  },
  {
    name: 'create a key',
    on: (side) => ofTenant(side, (tenantId) => side.request('POST', tenantId, 'keys', { name: 'new' })),
  },
  {
    name: 'rotate a key',
    on: (side, from) =>
      ofKey(side, from, ({ tenantId, keyId }) => side.request('POST', tenantId, `keys/${keyId}/rotate`, {})),
  },
];

async function found(side: LoadedService, tenantId: string, keyId: string): Promise<void> {
  if ((await side.store.readKey(tenantId, keyId)) === undefined) throw new Error('a loaded key is not there');
}

function ofKey({ sample }: LoadedService, from: number, work: (key: SampledKey) => Promise<unknown>): Step {
  return (index) => {
    const key = sample[(from + index) % sample.length];
    if (key === undefined) throw new Error('there are keys in the sample');
    return work(key);
  };
}

function ofTenant({ tenantIds }: LoadedService, work: (tenantId: string) => Promise<unknown>): Step {
  return (index) => work(tenantIds[index % tenantIds.length] ?? '');
}

/** Has the master keys of every tenant in memory, and a key of each used: what was loaded is authentic. */
async function settle(side: LoadedService): Promise<void> {
  for (const tenantId of side.tenantIds) {
    const page = await side.request('GET', tenantId, 'keys?limit=1');
    const { items } = page as { readonly items: readonly { readonly keyId: string }[] };
    const path = `keys/${items[0]?.keyId ?? ''}`;
    const sealed = await side.request('POST', tenantId, `${path}/encrypt`, { plaintext: PLAINTEXT });
    const { ciphertext } = sealed as { readonly ciphertext: string };
    const opened = await side.request('POST', tenantId, `${path}/decrypt`, { ciphertext });
    if ((opened as { readonly plaintext: string }).plaintext !== PLAINTEXT)
      throw new Error('a loaded key does not decrypt what it encrypted');
  }
}

function count({ tenants, keysPerTenant }: Size): string {
  return (tenants * keysPerTenant).toLocaleString('en-US');
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`;
}
