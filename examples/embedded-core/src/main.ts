// node src/main.ts <directory>, with ROOT_KEY (32 bytes as base64) in the environment. Each line on standard input is
// `seal <secret>` or `open <sealed>`; its result is one line on standard output.
import { openVault } from './vault.ts';

const vault = await openVault(process.argv[2] ?? 'vault', Buffer.from(process.env['ROOT_KEY'] ?? '', 'base64'));
for await (const line of linesOf(process.stdin.setEncoding('utf8'))) {
  const [verb, value = ''] = line.split(/ (.*)/s);
  if (verb !== 'seal' && verb !== 'open') throw new Error('Each line is `seal <secret>` or `open <sealed>`.');
  process.stdout.write(`${await (verb === 'seal' ? vault.seal(value) : vault.open(value))}\n`);
}
await vault.close();

/** A line ends at a line feed only: `node:readline` would cut a secret at any other separator that Unicode has. */
async function* linesOf(input: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const text of input) {
    const [last = '', ...whole] = `${rest}${text}`.split('\n').toReversed();
    yield* whole.toReversed();
    rest = last;
  }
  if (rest !== '') yield rest;
}
