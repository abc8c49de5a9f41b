export const OUTPUT_FORMATS = ['table', 'json'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** A cell of a table. */
type Cell = string | number | boolean | null;

/** Writes a value as JSON, or as the table that is made of it. */
export function formatOutput<T>(
  format: OutputFormat,
  value: T,
  rows: (value: T) => readonly Readonly<Record<string, Cell>>[],
): string {
  return format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : formatTable(rows(value));
}

function formatTable(rows: readonly Readonly<Record<string, Cell>>[]): string {
  const titles = Object.keys(rows[0] ?? {});
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
  return value === null || value === undefined ? '-' : String(value);
}
