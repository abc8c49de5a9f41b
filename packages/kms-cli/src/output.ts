export const OUTPUT_FORMATS = ['table', 'json'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** A cell of a table. */
type Cell = string | number | boolean | null;

/** Writes a value as JSON, or as the table that is made of it; `titles` head a table that may have no row. */
export function formatOutput<T>(
  format: OutputFormat,
  value: T,
  rows: (value: T) => readonly Readonly<Record<string, Cell>>[],
  titles?: readonly string[],
): string {
  return format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : formatTable(rows(value), titles);
}

function formatTable(
  rows: readonly Readonly<Record<string, Cell>>[],
  titles: readonly string[] = Object.keys(rows[0] ?? {}),
): string {
  const lines = [
    titles.map((title) => title.toUpperCase()),
    ...rows.map((row) => titles.map((title) => cell(row[title]))),
  ];
  const widths = titles.map((_title, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        `${line
          .map((text, column) => text.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function cell(value: Cell | undefined): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  // A name that somebody else chose must not move the cursor or change colours.
  return value === null || value === undefined ? '-' : String(value).replaceAll(/\p{Cc}/gu, '\uFFFD');
}
