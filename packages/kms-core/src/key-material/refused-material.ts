/**
 * Bytes from outside are not taken for a key. The message is the rule that they break, for people, and holds nothing of
 * the bytes.
 */
export class RefusedMaterial extends Error {
  override readonly name = 'RefusedMaterial';
}

/** @throws RefusedMaterial with the rule unless it holds. */
export function demand(holds: boolean, rule: string): asserts holds {
  if (!holds) throw new RefusedMaterial(rule);
}
