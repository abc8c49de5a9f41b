import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { tempDir } from '@qnsp/test-harness';
import { expect, test } from 'vitest';
import { welcomeText } from '../src/welcome.ts';

test.each(['a port', 'a socket file'])('the command that is shown works when pasted, with %s', async (way) => {
  const directory = tempDir('qnsp-welcome-');
  const server = createServer((request, response) =>
    response.end(`${request.method} ${request.url} ${request.headers.authorization}`),
  );
  const socketFile = join(directory.path, 'kms.sock');
  server.listen(way === 'a port' ? { port: 0, host: '127.0.0.1' } : { path: socketFile });
  await once(server, 'listening');
  const address = server.address();
  const baseUrl =
    typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : `unix:${socketFile}`;
  const path = join(directory.path, 'client.json');
  const client = { baseUrl, tenantId: 'a-tenant', apiToken: 'a-token' };
  writeFileSync(path, JSON.stringify(client));
  const text = welcomeText({ path, client });
  const command = text.slice(text.indexOf('curl'));
  const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env });
  expect(stdout).toBe('POST /kms/v1/keys Bearer a-token');
  expect(text.includes('explorer')).toBe(way === 'a port');
  server.close();
  await directory.remove();
});

test('the command line of AWS is shown what it needs, and no secret', async () => {
  const directory = tempDir('qnsp-welcome-');
  const path = join(directory.path, 'client.json');
  const baseUrl = 'http://127.0.0.1:8095';
  const aws = { accessKeyId: 'AKQNEXAMPLE', secretAccessKey: 'very-secret', region: 'eu-west-1' };
  const client = { baseUrl, tenantId: 'a-tenant', apiToken: 'a-token', aws };
  writeFileSync(path, JSON.stringify(client));
  const text = welcomeText({ path, client });
  expect(text).not.toContain('very-secret');
  // In place of the real one, a command that says what it was given.
  const said = 'aws() { echo "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $*"; }; ';
  const command = said + text.slice(text.indexOf('AWS_ACCESS_KEY_ID'));
  const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env });
  expect(stdout).toBe(`AKQNEXAMPLE very-secret kms create-key --region eu-west-1 --endpoint-url ${baseUrl}\n`);
  expect(welcomeText({ path, client: { ...client, baseUrl: 'unix:/run/kms.sock' } })).not.toContain('aws kms');
  await directory.remove();
});
