import canonicalize from 'canonicalize';

/**
 * The canonical form of a JSON value (RFC 8785): one value, one text.
 *
 * @throws TypeError for what JSON cannot express: `undefined`, a number that is not finite, a lone surrogate.
 * @example
 * import { canonicalJson } from '@qnsp/kms-audit';
 * console.log(canonicalJson({ b: 1, a: 1e30 })); // {"a":1e+30,"b":1}
 */
export function canonicalJson(value: unknown): string {
  let text: string | undefined;
  try {
    // The canonical form of what is already in order is that of JSON.stringify, which is several times faster.
    text = isInOrder(value) ? JSON.stringify(value) : canonicalize(value);
  } catch (cause) {
    throw new TypeError('The value has no canonical JSON form.', { cause });
  }
  if (text === undefined) throw new TypeError('The value has no canonical JSON form.');
  return text;
}

/** Whether a value is plain JSON whose members all come in the order of their UTF-16 code units. */
function isInOrder(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return Number.isFinite(value);
  if (value === null || typeof value === 'boolean') return true;
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.every(isInOrder);
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  let before = '';
  for (const name in value) {
    if (name < before || !name.isWellFormed() || !isInOrder(value[name as keyof typeof value])) return false;
    before = name;
  }
  return true;
}
