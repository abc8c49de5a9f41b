import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { KmsClient } from '@qnsp/kms-client';
import { Hono } from 'hono';

/** A patient as the application shows it. */
interface Patient {
  readonly name: string;
  readonly diagnosis: string;
}

/** Stores patients. The diagnosis is in the database as a ciphertext that only the key management service opens. */
export function makeApp(kms: KmsClient, keyId: string, database: DatabaseSync): Hono {
  database.exec(
    'CREATE TABLE IF NOT EXISTS patient (id TEXT PRIMARY KEY, name TEXT NOT NULL, diagnosis BLOB NOT NULL)',
  );
  const insert = database.prepare('INSERT INTO patient (id, name, diagnosis) VALUES (?, ?, ?)');
  const select = database.prepare('SELECT name, diagnosis FROM patient WHERE id = ?');
  // Bound to its row and column: a ciphertext that was copied to another row does not open.
  const context = (id: string) => ({ table: 'patient', column: 'diagnosis', id });
  const app = new Hono();

  // Hono, unlike Express, answers 500 when an async handler throws.
  // oxlint-disable-next-line oxc/no-async-endpoint-handlers
  app.post('/patients', async (request) => {
    const { name, diagnosis } = await request.req.json<Patient>();
    const id = randomUUID();
    const plaintext = new TextEncoder().encode(diagnosis);
    const { ciphertext } = await kms.encrypt({ keyId, plaintext, context: context(id) });
    insert.run(id, name, ciphertext);
    return request.json({ id }, 201);
  });

  // oxlint-disable-next-line oxc/no-async-endpoint-handlers
  app.get('/patients/:id', async (request) => {
    const id = request.req.param('id');
    const row = select.get(id);
    if (row === undefined) return request.notFound();
    // The columns are NOT NULL, and nothing else writes them.
    const { name, diagnosis } = row as { name: string; diagnosis: Uint8Array };
    const { plaintext } = await kms.decrypt({ keyId, ciphertext: diagnosis, context: context(id) });
    return request.json({ name, diagnosis: new TextDecoder().decode(plaintext) });
  });
  return app;
}
