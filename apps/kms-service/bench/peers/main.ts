import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '@qnsp/test-harness';
import { startBenchService } from '../load/start-sides.ts';
import { describeMachine } from '../machine.ts';
import { renderSection, writeSection } from '../report.ts';
import { useBundles } from '../use-bundles.ts';
import { comparePeer } from './compare-peer.ts';
import { cosmianSide } from './cosmian-side.ts';
import { ownSide } from './own-side.ts';
import { transitSide } from './transit-side.ts';

const REPORT = join(import.meta.dirname, '../../../../docs/benchmarks.md');
const OPTIONS = { slices: 7, requests: 2000, warmUp: 10_000 };
const USAGE = `Measures this service and a running OpenBao, Vault or Cosmian KMS in turns, and writes the section \`peers\` of
docs/benchmarks.md, or \`peers-cosmian\`.

  npm run bench:peers -- --address http://127.0.0.1:8200 --token-file FILE --pid PID [--cosmian]

  --address     where it listens, in the clear
  --token-file  a file with a token that may mount a secret engine; for Cosmian KMS one that may create keys
  --pid         its process on this machine, whose processor time is measured
  --cosmian     it is a Cosmian KMS, by KMIP as JSON
`;

const { values } = parseArgs({
  options: {
    address: { type: 'string' },
    'token-file': { type: 'string' },
    pid: { type: 'string' },
    cosmian: { type: 'boolean', default: false },
  },
});
const { address, 'token-file': tokenFile, pid } = values;
if (address === undefined || tokenFile === undefined || pid === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const say = (line: string) => void process.stderr.write(`peers: ${line}\n`);
  useBundles();
  const data = randomBytes(32).toString('base64');
  const peer = { address: new URL(address), token: readFileSync(tokenFile, 'utf8').trim() };
  const postgres = await startPostgres();
  const service = await startBenchService(postgres.url);
  const other = values.cosmian ? await cosmianSide(peer, data) : await transitSide(peer, data);
  try {
    const own = { side: await ownSide(service, data), pids: [service.child.pid ?? 0, postgres.pid] };
    const result = await comparePeer(own, { side: other, pids: [Number(pid)] }, say, OPTIONS);
    const name = values.cosmian ? 'peers-cosmian' : 'peers';
    const bench = { name, summary: `What operations cost here and in ${other.name}.` };
    const section = renderSection(bench, result, { machine: describeMachine(), date: new Date() });
    process.stdout.write(`\n${section}\n`);
    writeSection(REPORT, bench.name, section);
    if (!result.holds) process.exitCode = 1;
  } finally {
    await other.unmount?.();
    await service.stop();
    await postgres.stop();
  }
}
