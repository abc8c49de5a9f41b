import type { HttpBindings } from '@hono/node-server';

/** What Hono's context holds here: the request as Node has it. */
export interface AppEnv {
  readonly Bindings: HttpBindings;
}
