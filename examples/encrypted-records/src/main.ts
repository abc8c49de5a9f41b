// node src/main.ts, with KMS_URL, KMS_TOKEN and KMS_KEY_ID in the environment; DATABASE and PORT may be set.
import { DatabaseSync } from 'node:sqlite';
import { serve } from '@hono/node-server';
import { createKmsClient } from '@qnsp/kms-client';
import { makeApp } from './app.ts';

function setting(name: string, otherwise?: string): string {
  const value = process.env[name] ?? otherwise;
  if (value === undefined || value === '') throw new Error(`Set ${name}.`);
  return value;
}

const kms = createKmsClient({ baseUrl: setting('KMS_URL'), token: setting('KMS_TOKEN') });
const app = makeApp(kms, setting('KMS_KEY_ID'), new DatabaseSync(setting('DATABASE', 'patients.db')));
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(setting('PORT', '3000')) }, ({ port }) => {
  process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
});
