import type { InventoryKey, InventoryPage, KmsClient } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../connection/connect.ts';
import { writeTo } from '../files/write-to.ts';
import type { CommandIo } from '../terminal/io.ts';
import { tableInParts } from '../terminal/output.ts';
import { type Columns, type CommandGroup, outputStyle, rowOf, warn } from './command-group.ts';

const FORMATS = ['table', 'json', 'cyclonedx'] as const;
/** Keys in one answer of the service: the most. */
const KEYS_PER_PAGE = 200;

interface InventoryOptions {
  readonly format?: (typeof FORMATS)[number];
}

/** Writes a piece of the result and waits until somebody took it, so that no more than one is in memory. */
type Write = (piece: string | Uint8Array) => Promise<void>;

/** `kms inventory`: what cryptography the keys and the deployment use. */
export const inventoryCommand: CommandGroup = (program, io) => {
  program
    .command('inventory')
    .description(
      'show the cryptographic inventory: of the tenant, or of the whole platform with a platform credential that names no tenant',
    )
    .addOption(
      new Option(
        '--format <format>',
        'how it is written: cyclonedx is a CycloneDX 1.6 bill of materials (default: as --output says)',
      ).choices(FORMATS),
    )
    .action(async ({ format }: InventoryOptions, command: Command) => {
      const kms = connect(io);
      const write = writerTo(io);
      const chosen = format ?? (outputStyle(command, io).format === 'json' ? 'json' : 'table');
      if (chosen === 'cyclonedx')
        for await (const piece of kms.streamInventory({}, callOptions(io))) await write(piece);
      else if (chosen === 'json') await writeJson(io, kms, write);
      else await writeTable(io, command, kms, write);
    });
};

function writerTo(io: CommandIo): Write {
  const { pipes, signal } = io;
  if (pipes === undefined)
    return async (piece) => io.out(typeof piece === 'string' ? piece : Buffer.from(piece).toString());
  return (piece) => writeTo(pipes.output, typeof piece === 'string' ? Buffer.from(piece) : piece, signal);
}

/** One document of all pages, in which the warnings come last. */
async function writeJson(io: CommandIo, kms: KmsClient, write: Write): Promise<void> {
  const warnings: string[] = [];
  let before: string | undefined;
  for await (const { protocols = [], items, ...page } of pagesOf(io, kms)) {
    const head = before === undefined ? `{"protocols":${JSON.stringify(protocols)},"items":[` : '';
    before ??= '\n';
    const lines = items.map((item) => JSON.stringify(item)).join(',\n');
    await write(`${head}${lines === '' ? '' : before}${lines}`);
    if (lines !== '') before = ',\n';
    warnings.push(...(page.warnings ?? []));
  }
  await write(`\n],"warnings":${JSON.stringify(warnings)}}\n`);
}

async function writeTable(io: CommandIo, command: Command, kms: KmsClient, write: Write): Promise<void> {
  const part = tableInParts(outputStyle(command, io), Object.keys(COLUMNS));
  for await (const { items, warnings } of pagesOf(io, kms)) {
    await write(part(items.flatMap(versionsOf).map(row)));
    warn(io, warnings);
  }
}

async function* pagesOf(io: CommandIo, kms: KmsClient): AsyncGenerator<InventoryPage, void, void> {
  let cursor: string | undefined;
  do {
    const page = await kms.getInventory(
      { limit: KEYS_PER_PAGE, ...(cursor === undefined ? {} : { cursor }) },
      callOptions(io),
    );
    yield page;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

interface KeyVersion {
  readonly key: InventoryKey;
  readonly version: InventoryKey['versions'][number];
}

function versionsOf(key: InventoryKey): readonly KeyVersion[] {
  return key.versions.map((version) => ({ key, version }));
}

/** Instants of the service are of one form, in which the later one comes later. */
function latest(...instants: readonly (string | null)[]): string | null {
  return instants.reduce((last, each) => (each !== null && (last === null || each > last) ? each : last), null);
}

/** The first day on which the crypto policy of the deployment refuses something, or that it does so already. */
function policyOf({ policyViolations = [] }: InventoryKey): string | null {
  if (policyViolations.some(({ verdict }) => verdict === 'refused')) return 'refused';
  const [first] = policyViolations.flatMap(({ refusedFrom }) => refusedFrom ?? []).toSorted();
  if (first !== undefined) return `refused from ${first.slice(0, 10)}`;
  return policyViolations.length === 0 ? null : 'discouraged';
}

const COLUMNS: Columns<KeyVersion> = {
  key: ({ key }) => key.keyId,
  name: ({ key }) => key.name,
  version: ({ version }) => version.version,
  state: ({ key, version }) => (key.state === 'active' ? version.state : key.state),
  algorithm: ({ version }) => version.algorithmNist,
  category: ({ version }) => version.nistCategory,
  'quantum-safe': ({ version }) => version.quantumSafe,
  fips: ({ version }) => version.fipsApproved,
  protection: ({ key }) => key.protectionLevel,
  'age in days': ({ version }) => version.ageDays,
  'last used': ({ version }) => latest(version.lastProtectedAt, version.lastProcessedAt),
  'counted uses': ({ key, version }) => version.countedMessages ?? key.countedOperations,
  'next rotation': ({ key }) => key.rotation.nextRotationAt,
  policy: ({ key }) => policyOf(key),
  tenant: ({ key }) => key.tenantId,
};
const row = rowOf(COLUMNS);
