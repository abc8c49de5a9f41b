import { localCaller, openKms, softwareRoot } from '@qnsp/kms-core';
import { openPgliteStore } from '@qnsp/kms-store-drizzle';

const KEY = 'vault';

/** Keeps secrets of one program under its own key. */
export interface Vault {
  seal(secret: string): Promise<string>;
  open(sealed: string): Promise<string>;
  close(): Promise<void>;
}

/**
 * Opens a vault on an embedded database, with the core that the service has and without its HTTP.
 *
 * @param dataDir a directory for the database
 * @param rootKey 32 bytes that the program keeps elsewhere
 */
export async function openVault(dataDir: string, rootKey: Uint8Array): Promise<Vault> {
  const kms = await openKms({
    storage: await openPgliteStore({ dataDir }),
    roots: softwareRoot('software', rootKey),
    alert: ({ message }) => process.stderr.write(`${message}\n`),
  });
  // The program itself is the one tenant and the one caller; it authenticates nobody.
  const tenantId = await kms.ensureTenant('this program');
  const vault = kms.as(localCaller({ tenantId, subject: 'vault', role: 'tenant_admin' }));
  const { items } = await vault.listKeys({ name: KEY, limit: 1 });
  const { keyId } = items[0] ?? (await vault.createKey({ name: KEY }));
  return {
    async seal(secret) {
      const { ciphertext } = await vault.encrypt({ keyId, plaintext: Buffer.from(secret) });
      return Buffer.from(ciphertext).toString('base64');
    },
    async open(sealed) {
      const { plaintext } = await vault.decrypt({ ciphertext: Buffer.from(sealed, 'base64') });
      return Buffer.from(plaintext).toString('utf8');
    },
    close: () => kms.close(),
  };
}
