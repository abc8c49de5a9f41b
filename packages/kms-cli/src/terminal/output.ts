import { styleText } from 'node:util';
import stringWidth from 'string-width';
import { stringify } from 'yaml';
import { CommandError, EXIT } from './exit-codes.ts';

export const OUTPUT_FORMATS = ['table', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** How results are written. */
export interface OutputStyle {
  readonly format: OutputFormat;
  /** The columns of a table, by their titles; default: all. */
  readonly columns?: readonly string[] | undefined;
  /** How many characters a line of the terminal has; a table in a file or a pipe may have any width. */
  readonly width?: number | undefined;
  readonly colours: boolean;
}

/** A cell of a table. */
type Cell = string | number | boolean | null;
export type Row = Readonly<Record<string, Cell>>;

const GAP = '  ';
const MORE = '…';
/** No column is made narrower than this for the sake of the others. */
const NARROWEST = 8;

/** States and answers that should catch the eye. */
const COLOURS: Readonly<Record<string, 'green' | 'yellow' | 'red'>> = {
  active: 'green',
  ok: 'green',
  suspended: 'yellow',
  deactivated: 'yellow',
  degraded: 'yellow',
  revoked: 'red',
  destroyed: 'red',
  shredded: 'red',
  critical: 'red',
};

/**
 * Writes a value as JSON, as YAML, as the names of its rows (their first cells, a line each), or as the table that is made of
 * it; `titles` head a table that may have no row. Bytes are base64.
 */
export function formatOutput<T>(
  style: OutputStyle,
  value: T,
  rows: (value: T) => readonly Row[],
  titles?: readonly string[],
): string {
  switch (style.format) {
    case 'json':
      return `${JSON.stringify(plain(value), undefined, 2)}\n`;
    case 'yaml':
      return stringify(plain(value), { lineWidth: 0 });
    case 'name':
      return rows(value)
        .map((row) => `${cell(Object.values(row)[0])}\n`)
        .join('');
    case 'table':
      return formatTable(style, rows(value), titles);
  }
}

/** A value as JSON has it, with bytes as base64. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

/**
 * Writes a table in parts, for any number of rows: the first part decides how wide its columns are, and what is wider in a later one is
 * shortened.
 */
export function tableInParts(style: OutputStyle, known: readonly string[]): (rows: readonly Row[]) => string {
  let widths: readonly number[] | undefined;
  return (rows) => {
    const isFirst = widths === undefined;
    const lines = linesOf(style, rows, known);
    widths ??= widthsOf(style, lines);
    return writeLines(style, isFirst ? lines : lines.slice(1), widths, isFirst);
  };
}

function formatTable(
  style: OutputStyle,
  rows: readonly Row[],
  known: readonly string[] = Object.keys(rows[0] ?? {}),
): string {
  const lines = linesOf(style, rows, known);
  return writeLines(style, lines, widthsOf(style, lines), true);
}

/** The titles, and a line for each row. */
function linesOf(style: OutputStyle, rows: readonly Row[], known: readonly string[]): readonly (readonly string[])[] {
  const titles = style.columns ?? known;
  const unknown = titles.find((title) => !known.includes(title));
  if (unknown !== undefined)
    throw new CommandError(
      EXIT.usage,
      `There is no column ${JSON.stringify(unknown)}: choose from ${known.join(', ')}.`,
    );
  return [titles.map((title) => title.toUpperCase()), ...rows.map((row) => titles.map((title) => cell(row[title])))];
}

function widthsOf({ width }: OutputStyle, lines: readonly (readonly string[])[]): readonly number[] {
  const [titles = []] = lines;
  const natural = titles.map((_title, column) => Math.max(...lines.map((line) => stringWidth(line[column] ?? ''))));
  return width === undefined ? natural : narrowed(natural, width);
}

function writeLines(
  { colours }: OutputStyle,
  lines: readonly (readonly string[])[],
  widths: readonly number[],
  hasTitles: boolean,
): string {
  return lines.map((line, index) => formatLine(line, widths, colours && !(hasTitles && index === 0))).join('');
}

function formatLine(line: readonly string[], widths: readonly number[], colours: boolean): string {
  const cells = line.map((text, column) => {
    const width = widths[column] ?? 0;
    const shown = shortened(text, width);
    const colour = colours ? COLOURS[shown] : undefined;
    const coloured = colour === undefined ? shown : styleText(colour, shown, { validateStream: false });
    return column === line.length - 1 ? coloured : coloured + ' '.repeat(width - stringWidth(shown));
  });
  return `${cells.join(GAP).trimEnd()}\n`;
}

/**
 * Takes what does not fit from the widest columns; the first one, which names the row, stays whole for as long as
 * possible.
 */
function narrowed(natural: readonly number[], width: number): readonly number[] {
  const widths = [...natural];
  const total = () => widths.reduce((sum, each) => sum + each, (widths.length - 1) * GAP.length);
  while (total() > width) {
    const others = widths.slice(1);
    const widest = others.length === 0 ? 0 : 1 + others.indexOf(Math.max(...others));
    const column = (widths[widest] ?? 0) > NARROWEST ? widest : 0;
    if ((widths[column] ?? 0) <= NARROWEST) return widths;
    widths[column] = (widths[column] ?? 0) - 1;
  }
  return widths;
}

function shortened(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(kept + segment + MORE) > width) break;
    kept += segment;
  }
  return kept + MORE;
}

function cell(value: Cell | undefined): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  // A name chosen by somebody else must not move the cursor, change colours or reverse the line.
  return value === null || value === undefined
    ? '-'
    : String(value).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD');
}
