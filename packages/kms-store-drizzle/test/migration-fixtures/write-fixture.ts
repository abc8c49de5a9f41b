import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { findPostgresBinaries, startPostgres } from '@qnsp/test-harness';
import { fillDatabase } from './fill-database.ts';
import { type Fixture, migrationTags, readRecords, rowsFile, expectedFile } from './fixture-files.ts';
import { fixtureKms } from './fixture-kms.ts';

// Writes the fixture of the newest migration: a database filled by the core as it is now, as SQL, and what must come
// out of it forever after. Run it once for each new migration, by `pnpm run fixture`, and never again for the same one.

const tag = migrationTags().at(-1) ?? '';
const rootKey = randomBytes(32);
const server = await startPostgres();
try {
  const { store, close } = await openPostgresStore({ url: server.url, ssl: 'disable', migrate: 'auto' });
  const kms = await fixtureKms(store, rootKey);
  const uses = await fillDatabase(kms);
  const fixture: Fixture = { rootKey: rootKey.toString('base64'), uses, records: await readRecords(store) };
  await close();
  const dump = execFileSync(
    join(findPostgresBinaries() ?? '', 'pg_dump'),
    ['--data-only', '--schema=kms', '--column-inserts', `--dbname=${server.url}`],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const rows = dump.split('\n').filter((line) => line.startsWith('INSERT INTO '));
  writeFileSync(rowsFile(tag), `${rows.join('\n')}\n`);
  writeFileSync(expectedFile(tag), `${JSON.stringify(fixture, undefined, 2)}\n`);
} finally {
  await server.stop();
}
