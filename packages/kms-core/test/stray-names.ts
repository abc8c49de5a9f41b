export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** Comments, literals and the brackets that a template is left by and entered again, whichever comes first. */
const TOKENS = new RegExp(
  [
    String.raw`\/\*[\s\S]*?\*\/`,
    String.raw`\/\/[^\n]*`,
    String.raw`'(?:\\.|[^'\\\n])*'`,
    String.raw`"(?:\\.|[^"\\\n])*"`,
    // A regular expression stands where a value may begin.
    String.raw`(?<=[(,=:[!&|?{};>]\s*)\/(?![*\/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^\/\\\n])+\/`,
    '[`{}]',
  ].join('|'),
  'g',
);
const TEMPLATE_PART = /(?:\\.|\$(?!\{)|[^`\\$])*/y;

/**
 * Where a source file spells one of these names as a literal, or puts one together in a template. Comments, and texts that mention a
 * name among other words, are no matter.
 */
export function strayNames({ path, text }: SourceText, names: ReadonlySet<string>): readonly string[] {
  const found: string[] = [];
  const note = (at: number, name: string) => found.push(`${path}:${text.slice(0, at).split('\n').length} ${name}`);
  const beginsName = (head: string) => head !== '' && [...names].some((name) => name !== head && name.startsWith(head));
  /** For each bracket that is open, whether it ends in a template. */
  const open: boolean[] = [];
  const template = (from: number, isHead: boolean): number => {
    TEMPLATE_PART.lastIndex = from;
    const [part = ''] = TEMPLATE_PART.exec(text) ?? [];
    const end = from + part.length;
    const isLast = text[end] === '`';
    if (isHead && (isLast ? names.has(part) : beginsName(part))) note(from, isLast ? part : `${part}\${`);
    if (!isLast) open.push(true);
    return end + (isLast ? 1 : 2);
  };
  for (TOKENS.lastIndex = 0; ; ) {
    const token = TOKENS.exec(text);
    if (token === null) return found;
    const { 0: word, index } = token;
    if (word === '`') TOKENS.lastIndex = template(index + 1, true);
    else if (word === '{') open.push(false);
    else if (word === '}') {
      if (open.pop() === true) TOKENS.lastIndex = template(index + 1, false);
    } else if (/^['"]/.test(word) && names.has(word.slice(1, -1))) note(index, word.slice(1, -1));
  }
}
