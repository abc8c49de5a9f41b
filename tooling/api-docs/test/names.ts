// What examples find by name, so that each of them can begin where it becomes interesting.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { checkpointSigner, keepEvidence } from '@qnsp/kms-audit';
import { type CallerKms, localCaller, type OpenedKms, openKms, softwareRoot, SYSTEM_TENANT } from '@qnsp/kms-core';
import { inMemoryStorage } from '@qnsp/kms-core/testing';

/** The names, and what they stand for. */
export interface Names {
  readonly console: Readonly<Record<'error' | 'log' | 'warn', (...values: readonly unknown[]) => void>>;
  readonly kms: OpenedKms;
  readonly tenantId: string;
  /** Administers the tenant. */
  readonly ada: CallerKms;
  /** Administers the service. */
  readonly platform: CallerKms;
  /** Of the key that signs the evidence of `kms`. */
  readonly auditKeyPem: string;
  /** Of a service, and of a token that administers its tenant. */
  readonly baseUrl: string;
  readonly token: string;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Of a token of SoftHSM. */
  readonly modulePath: string;
  readonly slot: number;
  readonly pin: string;
}

/** What runs outside this process, as the test started it. */
export type Started = Pick<Names, 'baseUrl' | 'token' | 'databaseUrl' | 'redisUrl' | 'modulePath' | 'slot' | 'pin'>;
const started = JSON.parse(process.env['STARTED'] ?? '') as Started;

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const kms = await openKms({
  storage: inMemoryStorage(),
  roots: softwareRoot('software', randomBytes(32)),
  alert: ({ message }) => process.stderr.write(`${message}\n`),
  evidence: keepEvidence({
    signer: checkpointSigner(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    deliver: async () => ({ kind: 'accepted' }),
    report: () => undefined,
  }),
});
const platform = kms.as(localCaller({ tenantId: SYSTEM_TENANT, subject: 'ops', role: 'platform_admin' }));
let made = 0;

/** The names for one example, which has a tenant of its own. */
export async function open(print: (...values: readonly unknown[]) => void): Promise<Names> {
  const tenantId = await kms.ensureTenant(`shop ${(made += 1)}`);
  const ada = kms.as(localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' }));
  await ada.getRandom({ bytes: 12 });
  // Evidence is sealed a moment after the call.
  while ((await ada.listAuditEvents()).items.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const auditKeyPem = publicKey.export({ format: 'pem', type: 'spki' });
  return { console: { log: print, error: print, warn: print }, kms, tenantId, ada, platform, auditKeyPem, ...started };
}

/** Ends what the examples had in common. */
export const end = (): Promise<void> => kms.close();
