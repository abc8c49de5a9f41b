import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startService, tempDir } from '@qnsp/test-harness';
import { expect, test } from 'vitest';
import { installed } from './src/packed-project.ts';

const OLDEST = `node-${process.platform}-${process.arch}@20.19.5`;

const SCRIPT = `
import { readFileSync } from 'node:fs';
import { createKmsClient } from '@qnsp/kms-client';
import { createFileEnvelope } from '@qnsp/kms-client/node';
const { baseUrl, apiToken } = JSON.parse(readFileSync(process.env.CLIENT_JSON, 'utf8'));
const kms = createKmsClient({ baseUrl, token: apiToken });
const files = createFileEnvelope(kms);
const { keyId } = await kms.createKey({ name: 'from ' + process.version });
await files.encryptFile({ source: 'plain', destination: 'sealed', keyId });
await files.decryptFile({ source: 'sealed', destination: 'opened' });
console.log(process.version.split('.')[0]);
`;

test('the packed client seals and opens files on Node.js 20, the oldest that it is for', {
  timeout: 300_000,
}, async () => {
  const project = installed(['kms-client'], [OLDEST]);
  const home = tempDir('qnsp-node-20-');
  const dataDir = join(home.path, '.kms');
  const service = await startService({ env: { KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: dataDir } });
  try {
    // Several segments, and a last one that is not full.
    const plain = randomBytes(5 * 1024 * 1024 + 17);
    writeFileSync(join(project.path, 'plain'), plain);
    writeFileSync(join(project.path, 'main.mjs'), SCRIPT);
    const node = join(project.path, 'node_modules', OLDEST.split('@')[0] ?? '', 'bin', 'node');
    const { status, stdout, stderr } = spawnSync(node, ['main.mjs'], {
      cwd: project.path,
      env: { CLIENT_JSON: join(dataDir, 'client.json') },
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'v20\n', stderr: '' });
    expect(readFileSync(join(project.path, 'opened')).equals(plain)).toBe(true);
    expect(readFileSync(join(project.path, 'sealed')).includes(plain.subarray(0, 64))).toBe(false);
  } finally {
    await service.stop();
    await Promise.all([project.remove(), home.remove()]);
  }
});
