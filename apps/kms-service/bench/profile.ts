import { randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres, tempDir } from '@qnsp/test-harness';
import { evidenceEnv } from '../test/evidence-sample.ts';
import { startReceiver } from './evidence/start-receiver.ts';
import { CONCURRENCY } from './load/encrypt-sides.ts';
import { startBenchService } from './load/start-sides.ts';
import { openTarget, postOf } from './load/target.ts';

/**
 * Profiles the service while it encrypts, and prints where its processor time goes: `node apps/kms-service/bench/profile.ts
 * [--items N] [--decrypt] [--evidence] [DIRECTORY]`. With `--items` in batches of so many, with `--decrypt` while it decrypts, with
 * `--evidence` while it keeps evidence, too. With a directory the profile stays there, for a viewer of flame graphs such as that of
 * Chromium's DevTools.
 */
const REQUESTS = 30_000;
const ITEMS = 300_000;
const SHOWN = 45;

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const { values, positionals } = parseArgs({
  options: {
    items: { type: 'string' },
    decrypt: { type: 'boolean', default: false },
    evidence: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const [directory] = positionals;
const items = values.items === undefined ? undefined : Number(values.items);
const temporary = tempDir('qnsp-profile-');
const kept = directory ?? temporary.path;
const postgres = await startPostgres();
const receiver = values.evidence ? await startReceiver() : undefined;
const service = await startBenchService(postgres.url, receiver === undefined ? {} : evidenceEnv(receiver.baseUrl), [
  '--cpu-prof',
  `--cpu-prof-dir=${kept}`,
  '--cpu-prof-interval=500',
]);
const key = await service.createKey();
const target = await openTarget(service.port, items === undefined ? CONCURRENCY : 1);
const plain = { plaintext: randomBytes(32).toString('base64') };
const { ciphertext } = await service.call('POST', `keys/${key}/encrypt`, plain);
const one = values.decrypt ? { ciphertext } : plain;
const body = items === undefined ? one : { items: Array.from({ length: items }, () => one) };
const path = `/kms/v1/keys/${key}/${values.decrypt ? 'decrypt' : 'encrypt'}`;
await target.closedLoop(postOf(path, body, service.token), items === undefined ? REQUESTS : Math.ceil(ITEMS / items));
target.close();
await service.stop();
await receiver?.stop();
await postgres.stop();

const [file] = globSync('*.cpuprofile', { cwd: kept }).toSorted().toReversed();
if (file === undefined) throw new Error('the service wrote no profile');
// What `--cpu-prof` writes.
const profile = JSON.parse(readFileSync(join(kept, file), 'utf8')) as Profile;
const spent = new Map<number, number>();
for (const [index, id] of profile.samples.entries())
  spent.set(id, (spent.get(id) ?? 0) + (profile.timeDeltas[index] ?? 0));
const byFunction = new Map<string, number>();
for (const { id, callFrame } of profile.nodes) {
  const { functionName, url, lineNumber } = callFrame;
  const place = url === '' ? '' : ` ${url.replace(/^.*\/(?=(?:node_modules|packages|apps)\/)/, '')}:${lineNumber + 1}`;
  const name = `${functionName || '(anonymous)'}${place}`;
  byFunction.set(name, (byFunction.get(name) ?? 0) + (spent.get(id) ?? 0));
}
byFunction.delete('(idle)');
const total = [...byFunction.values()].reduce((sum, time) => sum + time, 0);
for (const [name, time] of [...byFunction].toSorted(([, a], [, b]) => b - a).slice(0, SHOWN))
  process.stdout.write(`${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}\n`);
await temporary.remove();
