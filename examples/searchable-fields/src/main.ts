// node src/main.ts add <name> <email> | find <email> | reseal
// with KMS_URL, KMS_TOKEN, KMS_KEY_ID (a key that encrypts) and KMS_INDEX_KEY_ID (an HMAC key) in the environment; DATABASE may be set.
import { PGlite } from '@electric-sql/pglite';
import { createKmsClient } from '@qnsp/kms-client';
import { createFieldCipher } from '@qnsp/kms-client/fields';
import { drizzle } from 'drizzle-orm/pglite';
import { CREATE_TABLE, customerStore } from './customers.ts';

function setting(name: string, otherwise?: string): string {
  const value = process.env[name] ?? otherwise;
  if (value === undefined || value === '') throw new Error(`Set ${name}.`);
  return value;
}

const kms = createKmsClient({ baseUrl: setting('KMS_URL'), token: setting('KMS_TOKEN') });
const emails = createFieldCipher(kms, {
  keyId: setting('KMS_KEY_ID'),
  context: { table: 'customer', column: 'email' },
  index: { keyId: setting('KMS_INDEX_KEY_ID'), keyVersion: 1 },
});
const database = await PGlite.create(setting('DATABASE', './customers'));
await database.exec(CREATE_TABLE);
const store = customerStore(drizzle(database), emails);

const [command, ...values] = process.argv.slice(2);
if (command === 'add') print(await store.add(values[0] ?? '', values[1] ?? ''));
else if (command === 'find')
  for (const { name, email } of await store.findByEmail(values[0] ?? '')) print(`${name} <${email}>`);
else if (command === 'reseal') print(`resealed ${await store.reseal()}`);
else throw new Error('Say add, find or reseal.');
await database.close();

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
