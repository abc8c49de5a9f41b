import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { localCaller, openKms } from '@qnsp/kms-core';
import { asTenant, comparable, insertKey, newTenant, sampleEvent, sampleKey, seal } from '@qnsp/kms-core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSealedRoot, openSealedRoot } from '../src/roots/sealed-file-root.ts';
import { openSqliteStore } from '../src/store/sqlite-store.ts';

const WRITER = fileURLToPath(new URL('endless-writer.ts', import.meta.url));

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'own-adapters-'));
  path = join(directory, 'kms.db');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('a store in a file', () => {
  it('has everything again when it is opened again, evidence included', async () => {
    const first = openSqliteStore(path);
    const tenantId = await newTenant(first.store);
    const key = await insertKey(first.store, sampleKey(tenantId));
    const events = [sampleEvent(tenantId), sampleEvent(tenantId)];
    await asTenant(first.store, tenantId, (unit) => unit.evidence.append(events));
    await seal(first.evidence, tenantId, 1);
    await first.close();
    const second = openSqliteStore(path);
    expect(comparable(await second.store.readKey(tenantId, key.keyId))).toEqual(comparable(key));
    expect(await second.evidence.backlog(10)).toMatchObject({ unsealed: 1, undelivered: 1 });
    await seal(second.evidence, tenantId);
    const { items } = await second.evidence.events(tenantId, { limit: 10, beforeSequence: null });
    expect(items.map(({ event }) => event)).toEqual(events.toReversed());
    await second.close();
  });

  it('is opened once at a time', async () => {
    const opened = openSqliteStore(path);
    expect(() => openSqliteStore(path)).toThrow(
      expect.objectContaining({ code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 }),
    );
    await opened.close();
    await openSqliteStore(path).close();
  });

  it('does nothing any more once it is closed', async () => {
    const { store, close } = openSqliteStore(path);
    await close();
    await expect(newTenant(store)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('has every key whose commit was acknowledged before its process was killed, and can be opened at once', async () => {
    const writer = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const acknowledged: string[] = [];
    for await (const line of createInterface(writer.stdout)) {
      acknowledged.push(line);
      if (acknowledged.length === 200) writer.kill('SIGKILL');
    }
    if (writer.signalCode === null) await once(writer, 'exit');
    expect(writer.signalCode).toBe('SIGKILL');
    const { store, close } = openSqliteStore(path);
    for (const line of acknowledged) {
      const [tenantId = '', keyId = ''] = line.split(' ');
      expect(await store.readKey(tenantId, keyId), line).toMatchObject({ keyId });
    }
    await close();
  });
});

describe('a KMS on a store and a root of their own', () => {
  it('decrypts after a restart what it encrypted, and not with another root', { timeout: 600_000 }, async () => {
    const alerts: string[] = [];
    const [one, other] = [join(directory, 'one.root'), join(directory, 'other.root')];
    createSealedRoot(one, 'correct horse');
    createSealedRoot(other, 'correct horse');
    const open = (root: string) =>
      openKms({
        storage: openSqliteStore(path),
        roots: openSealedRoot('own', root, 'correct horse'),
        alert: ({ message }) => alerts.push(message),
      });
    const as = async (kms: Awaited<ReturnType<typeof open>>) =>
      kms.as(localCaller({ tenantId: await kms.ensureTenant('own'), subject: 'test', role: 'tenant_admin' }));
    const first = await open(one);
    const { keyId } = await (await as(first)).createKey({ name: 'letters' });
    const { ciphertext } = await (await as(first)).encrypt({ keyId, plaintext: Buffer.from('attack at dawn') });
    await first.close();
    expect(alerts).toEqual([]);
    await expect(open(other)).rejects.toMatchObject({ code: 'SEALED' });
    const second = await open(one);
    const { plaintext } = await (await as(second)).decrypt({ ciphertext });
    expect(Buffer.from(plaintext).toString()).toBe('attack at dawn');
    await second.close();
  });
});
