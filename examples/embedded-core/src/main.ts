// node src/main.ts <directory>, with ROOT_KEY (32 bytes as base64) in the environment. Each line on standard input is
// `seal <secret>` or `open <sealed>`; its result is one line on standard output.
import { createInterface } from 'node:readline';
import { openVault } from './vault.ts';

const vault = await openVault(process.argv[2] ?? 'vault', Buffer.from(process.env['ROOT_KEY'] ?? '', 'base64'));
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, value = ''] = line.split(/ (.*)/s);
  if (verb !== 'seal' && verb !== 'open') throw new Error('Each line is `seal <secret>` or `open <sealed>`.');
  process.stdout.write(`${await (verb === 'seal' ? vault.seal(value) : vault.open(value))}\n`);
}
await vault.close();
