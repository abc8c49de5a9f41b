import type { Algorithm } from '../algorithms/registry.ts';
import { type KeyType, nameOf } from '../key-material/key-type.ts';
import { demand } from '../key-material/refused-material.ts';

/**
 * Refuses a key from outside that is not of the type, curve or size of an algorithm.
 *
 * @param modulusBits of an RSA key
 * @throws RefusedMaterial
 */
export function demandKeyOf({ form, id }: Algorithm, type: KeyType, modulusBits?: number): void {
  const found = nameOf(type);
  switch (form.kind) {
    case 'rsa':
      demand(type.kind === 'rsa', `${id} needs an RSA key, not ${found}`);
      demand(modulusBits === form.modulusBits, `${id} needs a modulus of ${form.modulusBits} bits, not ${modulusBits}`);
      return;
    case 'ec':
      return demand(found === form.namedCurve, `${id} needs the named curve ${form.namedCurve}, not ${found}`);
    case 'node-key':
      return demand(found === form.keyType, `${id} needs a ${form.keyType} key, not ${found}`);
    case 'secret':
    case 'x-wing':
      // These have no container.
      return demand(false, `${id} has no keys of the type ${found}`);
  }
}
