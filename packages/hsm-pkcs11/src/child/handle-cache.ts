import type { KeyRef } from '../protocol/messages.ts';
import type { Handle } from './driver.ts';
import { resolveKey, type Session } from './objects.ts';

const MAX_HANDLES = 10_000;

/** Remembers where the token keeps a key, so that a key is searched and its attributes are compared once. */
export class HandleCache {
  readonly #handles = new Map<string, Handle>();

  resolve(session: Session, ref: KeyRef): Handle {
    const name = cacheName(ref);
    const known = this.#handles.get(name);
    if (known !== undefined) return known;
    const handle = resolveKey(session, ref);
    if (this.#handles.size >= MAX_HANDLES) this.#handles.clear();
    this.#handles.set(name, handle);
    return handle;
  }

  clear(): void {
    this.#handles.clear();
  }
}

function cacheName(ref: KeyRef): string {
  const id = ref.id === null ? '' : Buffer.from(ref.id).toString('hex');
  return JSON.stringify([ref.kind, ref.keyType, ref.bytes, ref.usage, id, ref.label]);
}
