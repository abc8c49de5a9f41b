/** How a row says whether its target holds. */
export function verdict(holds: boolean): string {
  return holds ? 'yes' : '**no**';
}

/** Whether the target of every row holds that has one. */
export function allHold(rows: readonly (readonly string[])[]): boolean {
  return rows.every((row) => row.at(-1) !== verdict(false));
}
