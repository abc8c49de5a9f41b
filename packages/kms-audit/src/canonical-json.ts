import canonicalize from 'canonicalize';

/**
 * The canonical form of a JSON value (RFC 8785): one value, one text.
 *
 * @throws TypeError for what JSON can't say: `undefined`, a number that is not finite, a lone surrogate.
 * @example
 * canonicalJson({ b: 1, a: 1e30 }); // {"a":1e+30,"b":1}
 */
export function canonicalJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = canonicalize(value);
  } catch (cause) {
    throw new TypeError('The value has no canonical JSON form.', { cause });
  }
  if (text === undefined) throw new TypeError('The value has no canonical JSON form.');
  return text;
}
