import { auditUrlProblem, checkpointSigner } from '@qnsp/kms-audit';
import type { Variables } from './variables.ts';

/** How evidence is kept. */
export interface EvidenceConfig {
  /** Where the audit service is. */
  readonly url: URL;
  readonly bearerToken: string;
  readonly signingKeyPem: string;
  /** Names that may lead to private addresses. */
  readonly allowedHosts: ReadonlySet<string>;
  readonly caFile: string | undefined;
  /** Default: forever. */
  readonly retentionDays: number | undefined;
  readonly maxBacklog: number;
}

/** Reads the settings of evidence, `undefined` when none is kept. */
export function readEvidence(env: Variables): EvidenceConfig | undefined {
  if (!env.boolean('KMS_EVIDENCE_ENABLED', false)) return undefined;
  const bearerToken = needed(env, 'AUDIT_BEARER_TOKEN');
  if (bearerToken !== undefined && !/^[\u0021-\u007e]+$/.test(bearerToken))
    env.problem('AUDIT_BEARER_TOKEN', 'must be one word of printable ASCII characters');
  // The host of a URL is in lower case, however it was written.
  const allowedHosts = new Set(
    (env.text('KMS_AUDIT_ALLOWED_HOSTS') ?? '')
      .toLowerCase()
      .split(/[\s,]+/)
      .filter((name) => name !== ''),
  );
  const retentionDays = env.integer('KMS_AUDIT_RETENTION_DAYS', 0, { min: 0, max: 36_500 });
  const config = {
    url: readUrl(env, allowedHosts),
    bearerToken,
    signingKeyPem: readSigningKey(env),
    allowedHosts,
    caFile: env.text('AUDIT_SERVICE_CA_FILE'),
    retentionDays: retentionDays === 0 ? undefined : retentionDays,
    maxBacklog: env.integer('KMS_AUDIT_MAX_BACKLOG', 1_000_000, { min: 100, max: 1_000_000_000 }),
  };
  const { url, signingKeyPem } = config;
  // What is missing is among the problems, which end the start.
  if (url === undefined || bearerToken === undefined || signingKeyPem === undefined) return undefined;
  return { ...config, url, bearerToken, signingKeyPem };
}

function needed(env: Variables, name: string): string | undefined {
  const before = env.problems.length;
  const value = env.secret(name);
  if (value === undefined && env.problems.length === before) env.problem(name, 'is needed when evidence is enabled');
  return value;
}

function readUrl(env: Variables, allowedHosts: ReadonlySet<string>): URL | undefined {
  const text = needed(env, 'AUDIT_SERVICE_URL');
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const problem = url === null ? 'must be an https URL' : auditUrlProblem(url, allowedHosts);
  if (problem !== undefined) env.problem('AUDIT_SERVICE_URL', problem);
  return url ?? undefined;
}

function readSigningKey(env: Variables): string | undefined {
  const name = 'AUDIT_SBOM_SIGNING_PRIVATE_KEY_PEM';
  // An environment that can hold no line feeds has them written out.
  const pem = needed(env, name)?.replaceAll(String.raw`\n`, '\n');
  if (pem === undefined) return undefined;
  try {
    checkpointSigner(pem);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    env.problem(name, error.message);
  }
  return pem;
}
