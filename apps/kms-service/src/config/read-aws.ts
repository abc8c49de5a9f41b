import type { Variables } from './variables.ts';

/** How the service speaks the interface of AWS KMS. */
export interface AwsConfig {
  /** The one region that requests have to be signed for. */
  readonly region: string;
}

/** Reads whether AWS KMS is spoken; `undefined` where it is not. */
export function readAws(env: Variables, embedded: boolean): AwsConfig | undefined {
  const region = env.text('KMS_AWS_REGION') ?? 'us-east-1';
  if (!/^[a-z][a-z0-9-]{1,62}$/.test(region))
    env.problem('KMS_AWS_REGION', 'must be the name of a region, such as us-east-1');
  return env.boolean('KMS_AWS_ENABLED', embedded) ? { region } : undefined;
}
