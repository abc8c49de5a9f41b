import { join } from 'node:path';
import { type Service, startService } from '@qnsp/test-harness';
import { BEARER_TOKEN, PUBLIC_KEY_PEM } from '../../test/evidence-sample.ts';

/** Starts the example receiver as a process of its own. */
export function startReceiver(): Promise<Service> {
  return startService({
    entry: join(import.meta.dirname, 'receiver.ts'),
    env: { AUDIT_BEARER_TOKEN: BEARER_TOKEN, AUDIT_PUBLIC_KEY_PEM: PUBLIC_KEY_PEM },
  });
}
