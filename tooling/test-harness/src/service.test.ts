import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startService } from './service.ts';
import { tempDir } from './temp-dir.ts';

const READY_ON_SECOND_PROBE = `
import { createServer } from 'node:http';
let probes = 0;
const server = createServer((request, response) => {
  if (request.url === '/env') response.end(Object.keys(process.env).sort().join(' '));
  else response.writeHead(probes++ === 0 ? 503 : 200).end();
});
server.listen(Number(process.env.PORT), '127.0.0.1');
process.once('SIGTERM', () => { console.log('asked to end'); process.exit(0); });
`;

describe('startService', () => {
  const home = tempDir();
  const writeEntry = (source: string): string => {
    const entry = join(home.path, 'main.mjs');
    writeFileSync(entry, source);
    return entry;
  };

  afterAll(() => home.remove());

  it('waits until the service is ready and gives it no other environment', async () => {
    const service = await startService({ env: { KMS_WORD: 'x' }, entry: writeEntry(READY_ON_SECOND_PROBE) });
    const names = await (await fetch(`${service.baseUrl}/env`)).text();
    expect(names).toBe('KMS_LIMIT_FAILED_AUTHENTICATIONS_PER_SECOND KMS_WORD PATH PORT');
    await service.stop();
    expect(service.logs()).toContain('asked to end');
    expect(service.child.exitCode).toBe(0);
  });

  it('kills the service without asking', async () => {
    const service = await startService({ env: {}, entry: writeEntry(READY_ON_SECOND_PROBE) });
    await service.kill9();
    expect(service.child.signalCode).toBe('SIGKILL');
    expect(existsSync(`/proc/${service.child.pid}`)).toBe(false);
  });

  it('says what the service wrote when it ends before it is ready', async () => {
    const entry = writeEntry(`console.error('no database'); process.exit(3);`);
    await expect(startService({ env: {}, entry })).rejects.toThrow('no database');
  });
});
