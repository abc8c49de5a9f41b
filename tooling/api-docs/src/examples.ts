import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** An `@example` of a comment. */
export interface Example {
  readonly path: string;
  /** Of the first line of its code, from 1. */
  readonly line: number;
  readonly code: string;
}

/** The examples in the comments of a source file. */
export function examplesIn(path: string): readonly Example[] {
  const text = readFileSync(path, 'utf8');
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = new Map<number, Example>();
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) {
      // A tag of a variable is one of its declaration and of its list too.
      if (tag.tagName.text !== 'example' || found.has(tag.pos) || tag.getSourceFile() !== source) continue;
      found.set(tag.pos, { path, ...codeOf(text, tag) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...found.values()];
}

/** The code as it was written: without the asterisks of the comment, whose own parser would shift lines. */
function codeOf(text: string, tag: ts.JSDocTag): Pick<Example, 'line' | 'code'> {
  const end = Math.min(...[text.indexOf('\n', tag.pos)].filter((index) => index >= 0));
  const raw = text.slice(end + 1, tag.end).replace(/\*\/\s*$/, '');
  const lines = raw.split('\n').map((each) => each.replace(/^\s*\* ?/, ''));
  while (lines.at(-1)?.trim() === '') lines.pop();
  return { line: text.slice(0, end + 1).split('\n').length, code: lines.join('\n') };
}

/** What the example says that it prints: the comments after its calls of `console.log`. */
export function printsOf({ code }: Example): readonly string[] {
  return [...code.matchAll(/^\s*console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text = '']) => text);
}

/** The code as a module whose default export runs it, with what examples find there by name. */
export function moduleOf(
  { code }: Example,
  names: { readonly file: string; readonly list: readonly string[] },
): string {
  const lines = code.split('\n');
  const isImport = (line: string) => line.startsWith('import ');
  return [
    `import type { Names } from '${names.file}';`,
    ...lines.filter(isImport),
    `export default async ({ ${names.list.join(', ')} }: Names): Promise<unknown> => {`,
    // A block of its own, in which the example may declare the same names.
    '  {',
    ...lines.filter((line) => !isImport(line)),
    '  }',
    '  return undefined;',
    '};',
    '',
  ].join('\n');
}
