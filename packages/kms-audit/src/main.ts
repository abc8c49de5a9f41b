#!/usr/bin/env node
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { readCheckpoint } from './export-lines.ts';
import { runAuditExport } from './run-audit-export.ts';
import { runAuditVerify } from './run-audit-verify.ts';

const USAGE = `kms-audit verify EXPORT --public-key FILE [--public-key FILE] [--checkpoint FILE] [--after FILE]
                 [--expected-events N] [--retired-before DATE]
kms-audit export --url URL --token-file FILE --out FILE [--checkpoint-out FILE]`;

async function verify(args: string[]): Promise<boolean> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      'public-key': { type: 'string', multiple: true },
      checkpoint: { type: 'string' },
      after: { type: 'string' },
      'expected-events': { type: 'string' },
      'retired-before': { type: 'string' },
    },
  });
  const [exportFile, ...rest] = positionals;
  const publicKeyFiles = values['public-key'] ?? [];
  if (exportFile === undefined || rest.length > 0 || publicKeyFiles.length === 0) throw new RangeError(USAGE);
  const [expected, retired] = [values['expected-events'], values['retired-before']];
  if (expected !== undefined && !/^\d+$/.test(expected)) throw new RangeError('--expected-events takes a number.');
  if (retired !== undefined && Number.isNaN(Date.parse(retired)))
    throw new RangeError('--retired-before takes a date.');
  return runAuditVerify(
    {
      exportFile,
      publicKeyFiles,
      ...(values.checkpoint === undefined ? {} : { checkpointFile: values.checkpoint }),
      ...(values.after === undefined ? {} : { afterFile: values.after }),
      ...(expected === undefined ? {} : { expectedEvents: Number(expected) }),
      ...(retired === undefined ? {} : { retiredBefore: new Date(retired) }),
    },
    (line) => process.stdout.write(`${line}\n`),
  );
}

async function exportEvidence(args: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args,
    options: {
      url: { type: 'string' },
      'token-file': { type: 'string' },
      out: { type: 'string' },
      'checkpoint-out': { type: 'string' },
    },
  });
  const { url, out, 'token-file': tokenFile, 'checkpoint-out': checkpointOut } = values;
  if (url === undefined || out === undefined || tokenFile === undefined) throw new RangeError(USAGE);
  const authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
  const get = async (path: string): Promise<string> => {
    const response = await fetch(`${url.replace(/\/$/, '')}/kms/v1/audit/${path}`, {
      headers: { authorization },
      redirect: 'error',
    });
    const text = await response.text();
    if (!response.ok) throw new RangeError(`The service answered ${response.status}: ${text}`);
    return text;
  };
  const file = createWriteStream(out, { mode: 0o600 });
  const latest = await runAuditExport(
    {
      latestCheckpoint: async () => {
        const { items } = JSON.parse(await get('checkpoints?limit=1')) as { readonly items?: readonly unknown[] };
        return readCheckpoint(items?.[0]);
      },
      page: (after) => get(`export?format=jsonl&batches=100&after=${after}`),
    },
    (text) => void file.write(text),
  );
  file.end();
  await finished(file);
  if (checkpointOut !== undefined && latest !== undefined) writeFileSync(checkpointOut, `${JSON.stringify(latest)}\n`);
  process.stdout.write(`exported ${latest?.lastSequence ?? 0} events\n`);
  return true;
}

const [command, ...args] = process.argv.slice(2);
try {
  if (command !== 'verify' && command !== 'export') throw new RangeError(USAGE);
  process.exitCode = (await (command === 'verify' ? verify(args) : exportEvidence(args))) ? 0 : 1;
} catch (error) {
  const expected = error instanceof RangeError || (error instanceof TypeError && 'code' in error);
  if (!expected) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
