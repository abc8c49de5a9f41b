// Started by the test of the examples: runs each module of a directory, and writes what each one printed as a line of JSON.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';

interface Example {
  default(names: object): Promise<unknown>;
}
interface Setup {
  end(this: void): Promise<void>;
  open(this: void, print: (...values: readonly unknown[]) => void): Promise<object>;
}

const [directory = '', setupFile = ''] = process.argv.slice(2);
const { open, end } = (await import(setupFile)) as Setup;
const files = readdirSync(directory).filter((name) => name.startsWith('example-'));
const opened = files.toSorted().map(async (file) => {
  const printed: string[] = [];
  const print = (...values: readonly unknown[]) => printed.push(format(...values).replaceAll(/\s*\n\s*/g, ' '));
  return { file, printed, names: await open(print) };
});
for (const { file, printed, names } of await Promise.all(opened)) {
  try {
    const example = (await import(join(directory, file))) as Example;
    await example.default(names);
    process.stdout.write(`${JSON.stringify({ file, printed })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ file, printed, error: format(error) })}\n`);
  }
}
await end();
