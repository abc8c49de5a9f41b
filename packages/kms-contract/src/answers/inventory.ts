import { KEY_PURPOSES, KEY_STATES, REVOCATION_REASONS } from '@qnsp/kms-core';
import { CRYPTO_ACTS } from '@qnsp/kms-core/internal';
import { VERSION_STATES } from '@qnsp/kms-core/lifecycle';
import { z } from 'zod';
import { algorithmId } from '../fields/algorithm.ts';
import { answeredInstant } from '../fields/instant.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { EXAMPLE } from './examples.ts';

const answeredUuid = onTheWire(z.string(), { type: 'string', format: 'uuid' });
const answeredDuration = onTheWire(z.string(), { type: 'string', format: 'duration', examples: ['P90D'] });
const standardName = z.string().describe('The name of the algorithm in its standard.');
const ageDays = z.int().describe('Whole days since it was created.');

const inventoryVersionSchema = z.object({
  version: z.int(),
  state: z.enum(VERSION_STATES),
  origin: z.enum(['generated', 'imported']),
  provider: z.string().describe('The root or HSM provider that protects it.'),
  algorithm: algorithmId,
  algorithmNist: standardName,
  standard: z.string().describe('The standard that defines the algorithm.'),
  nistCategory: z
    .int()
    .nullable()
    .describe(
      'The security strength category of NIST, from 1 (AES-128) to 5 (AES-256); 0 if a quantum computer breaks it, `null` for an imported key of unknown length.',
    ),
  classicalBits: z.int().nullable().describe('The strength in bits against classical computers; `null` as above.'),
  quantumSafe: z.boolean(),
  fipsApproved: z.boolean().describe('Whether a FIPS 140-3 module may use the algorithm in approved mode.'),
  createdAt: answeredInstant,
  ageDays,
  countedMessages: z
    .int()
    .nullable()
    .describe(
      'How many messages were counted against what the version may protect, in the blocks that nodes reserve; `null` if none are counted.',
    ),
  lastProtectedAt: answeredInstant
    .nullable()
    .describe('The beginning of the hour in which it last protected something new; `null` if no such use is recorded.'),
  lastProcessedAt: answeredInstant
    .nullable()
    .describe('The same for decrypting, verifying and unwrapping what it protected.'),
});

const inventoryKeySchema = component(
  'InventoryKey',
  z.object({
    tenantId: answeredUuid,
    keyId: answeredUuid,
    name: z.string().nullable(),
    state: z.enum(KEY_STATES),
    purpose: z.enum(KEY_PURPOSES),
    algorithm: algorithmId,
    algorithmNist: standardName,
    fipsApproved: z.boolean(),
    protectionLevel: z.enum(['software', 'hsm']),
    quantumSafe: z.boolean().describe('Whether every version that can still be used withstands a quantum computer.'),
    currentVersion: z.int(),
    versions: z.array(inventoryVersionSchema).describe('All versions, oldest first.'),
    rotation: z.object({
      rotationPeriod: answeredDuration.nullable(),
      autoRotate: z.boolean(),
      nextRotationAt: answeredInstant.nullable(),
    }),
    countedOperations: z
      .int()
      .nullable()
      .describe(
        'How many operations were counted against `maxOperations`, in the blocks that nodes reserve; `null` if none are counted.',
      ),
    maxOperations: z.int().nullable(),
    usesSince: answeredInstant.describe('Since when its uses are recorded; nothing is known of earlier ones.'),
    expiresAt: answeredInstant.nullable(),
    createdAt: answeredInstant,
    ageDays,
    destroyAt: answeredInstant.nullable(),
    policyViolations: z
      .array(
        z.object({
          algorithm: algorithmId,
          act: z.enum(CRYPTO_ACTS),
          verdict: z.enum(['discouraged', 'refused']).describe('Whether it is still done, or already refused.'),
          refusedFrom: answeredInstant
            .nullable()
            .describe('Since when, or from when on, it is refused; `null` if it never is or always was.'),
          source: z.string().describe('Where the source of the policy says so.'),
        }),
      )
      .exactOptional()
      .describe('What of the further use of the key violates the crypto policy of the deployment, if it has one.'),
    revocation: z
      .object({
        reason: onTheWire(z.string(), { type: 'string', enum: REVOCATION_REASONS }),
        revokedAt: answeredInstant,
      })
      .nullable(),
  }),
);

const certificateSchema = z.object({
  subject: z.string(),
  issuer: z.string(),
  notBefore: answeredInstant,
  notAfter: answeredInstant,
  serialNumber: z.string(),
  publicKey: z.string().describe('The kind of its key.'),
  signature: z.string().nullable().describe('What it was signed with; `null` if OpenSSL does not know.'),
});

const deploymentProtocolSchema = component(
  'DeploymentProtocol',
  z.object({
    use: z.enum(['api', 'database', 'redis', 'hsm']).describe('What it protects the way to.'),
    protocol: z
      .enum(['tls', 'pkcs11', 'none'])
      .describe('`none` if the way is in the clear, or never leaves the machine.'),
    version: z.string().exactOptional().describe('The oldest version that is spoken.'),
    groups: z.array(z.string()).exactOptional().describe('What keys are agreed by, the preferred one first.'),
    verification: z.string().exactOptional().describe('How the other side is verified.'),
    certificates: z.array(certificateSchema).exactOptional().describe('The certificate of the service first.'),
    provider: z.string().exactOptional().describe('The name of the HSM provider.'),
    mechanisms: z.array(z.string()).exactOptional().describe('What the service uses of the HSM for keys in it.'),
  }),
);

export const inventoryPageSchema = component(
  'InventoryPage',
  z.object({
    items: z.array(inventoryKeySchema),
    nextCursor: z
      .string()
      .nullable()
      .describe('Where the next page starts; `null` on the last page. A page may hold fewer items than `limit`.'),
    protocols: z
      .array(deploymentProtocolSchema)
      .exactOptional()
      .describe(
        'The protocols of the deployment: for a tenant what its clients speak, for the platform those behind the service as well.',
      ),
    warnings: z
      .array(z.string())
      .exactOptional()
      .describe(
        'Names the keys that are missing because their stored record failed its integrity check, counts those that their policies hide, and names the parts of the query that were ignored.',
      ),
  }),
);

export const EXAMPLE_INVENTORY_KEY = {
  tenantId: EXAMPLE.tenantId,
  keyId: EXAMPLE.keyId,
  name: 'orders',
  state: 'active',
  purpose: 'encryption',
  algorithm: 'aes-256-gcm',
  algorithmNist: 'AES-256-GCM',
  fipsApproved: true,
  protectionLevel: 'software',
  quantumSafe: true,
  currentVersion: 1,
  versions: [
    {
      version: 1,
      state: 'active',
      origin: 'generated',
      provider: 'software',
      algorithm: 'aes-256-gcm',
      algorithmNist: 'AES-256-GCM',
      standard: 'FIPS 197, SP 800-38D, C2SP XAES-256-GCM',
      nistCategory: 5,
      classicalBits: 256,
      quantumSafe: true,
      fipsApproved: true,
      createdAt: EXAMPLE.instant,
      ageDays: 30,
      countedMessages: null,
      lastProtectedAt: EXAMPLE.instant,
      lastProcessedAt: null,
    },
  ],
  rotation: { rotationPeriod: 'P90D', autoRotate: true, nextRotationAt: EXAMPLE.later },
  countedOperations: null,
  maxOperations: null,
  usesSince: EXAMPLE.instant,
  expiresAt: null,
  createdAt: EXAMPLE.instant,
  ageDays: 30,
  destroyAt: null,
  revocation: null,
} as const;

export const EXAMPLE_PROTOCOL = {
  use: 'api',
  protocol: 'tls',
  version: '1.3',
  groups: ['X25519MLKEM768', 'X25519', 'P-256'],
} as const;
