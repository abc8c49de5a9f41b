// node endless-writer.ts <file>: adds keys until it is killed, and prints the tenant and the id of each whose commit was acknowledged.
import { insertKey, newTenant, sampleKey } from '@qnsp/kms-core/testing';
import { openSqliteStore } from '../src/store/sqlite-store.ts';

const { store } = openSqliteStore(process.argv[2] ?? '');
const tenantId = await newTenant(store);
for (;;) {
  const { keyId } = await insertKey(store, sampleKey(tenantId));
  process.stdout.write(`${tenantId} ${keyId}\n`);
}
