import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Bench, BenchResult } from './bench.ts';

const HEAD = `# Benchmarks

Written by \`npm run bench\`, never by hand. \`npm run bench -- NAME\` measures one of them again and replaces its section.
`;

/** The section of a benchmark in Markdown. */
export function renderSection(
  { name, summary }: Pick<Bench, 'name' | 'summary'>,
  { conditions, columns, rows, holds }: BenchResult,
  { machine, date }: { readonly machine: string; readonly date: Date },
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = [line(columns), line(columns.map(() => '---')), ...rows.map(line)];
  const facts = [...conditions, machine, date.toISOString().slice(0, 10)].map((fact) => `- ${fact}`);
  const verdict = holds ? 'Every target holds.' : '**Not every target holds.**';
  return [`## ${name}`, '', summary, '', ...table, '', verdict, '', ...facts].join('\n');
}

/** Puts a section into the report: over the one of the same benchmark, or at the end. */
export function writeSection(path: string, name: string, section: string): void {
  const report = existsSync(path) ? readFileSync(path, 'utf8') : HEAD;
  const [head = HEAD, ...sections] = report.split(/^(?=## )/m);
  const others = sections.filter((other) => !other.startsWith(`## ${name}\n`));
  const all = [...others.map((other) => other.trim()), section].toSorted();
  writeFileSync(path, `${[head.trim(), ...all].join('\n\n')}\n`);
}
