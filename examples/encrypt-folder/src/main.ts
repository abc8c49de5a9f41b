// node src/main.ts encrypt|decrypt <from> <to>, with KMS_URL, KMS_TOKEN and, to encrypt, KMS_KEY_ID in the environment.
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { createKmsClient } from '@qnsp/kms-client';
import { createFileEnvelope } from '@qnsp/kms-client/node';

const ENDING = '.qnsp';
const [action, from, to] = process.argv.slice(2);
if ((action !== 'encrypt' && action !== 'decrypt') || from === undefined || to === undefined)
  throw new Error('Usage: main.ts encrypt|decrypt <from> <to>');

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`Set ${name}.`);
  return value;
}

const kms = createKmsClient({ baseUrl: setting('KMS_URL'), token: setting('KMS_TOKEN') });
const files = createFileEnvelope(kms);

let count = 0;
for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const source = join(entry.parentPath, entry.name);
  const name = relative(from, source);
  const plainName = action === 'encrypt' ? name : name.slice(0, -ENDING.length);
  const destination = join(to, action === 'encrypt' ? `${name}${ENDING}` : plainName);
  await mkdir(dirname(destination), { recursive: true });
  // Bound to its place in the folder: a file that was put in place of another does not open.
  const context = { path: plainName };
  if (action === 'encrypt') await files.encryptFile({ source, destination, keyId: setting('KMS_KEY_ID'), context });
  else await files.decryptFile({ source, destination, context });
  count += 1;
}
process.stdout.write(`${action}ed ${count} files\n`);
