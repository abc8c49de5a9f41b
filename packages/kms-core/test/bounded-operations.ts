import { createCipheriv, createPublicKey, encapsulate as encapsulateKem, generateKeyPairSync } from 'node:crypto';
import * as core from '../src/exports/internal.ts';
import { BOUNDS, type EncryptionContext, newId, type Operation, type PolicyDocument } from '../src/exports/internal.ts';
import type { Fixture } from './kms-fixture.ts';

type Core = typeof core;
/** Whether something exported is an operation. */
type IsOperation<F> = F extends (op: infer O, ...rest: never[]) => unknown
  ? [O] extends [{ readonly kms: { readonly hierarchy: unknown }; readonly caller: unknown }]
    ? true
    : false
  : false;
/** What the service does by itself: `bounded-unattended.ts`. */
type Unattended =
  | 'isSweepDue'
  | 'removeExpiredTokens'
  | 'runDueWork'
  | 'sweepResidentKeys'
  | 'applyTombstones'
  | 'checkRoots'
  | 'completeWraps'
  | 'bindTenants'
  | 'rootStatus'
  | 'initialiseRoots'
  | 'addRoot'
  | 'rotateRoot'
  | 'retireRoot'
  | 'bootstrapTenant'
  | 'resealMasterKeys'
  | 'runMigrations'
  | 'rotateDueMasterKeys'
  | 'installPlatformToken';
/** What leaves every input that is out of bounds to the operation for one: `together.test.ts`. */
type Together = 'encryptTogether' | 'decryptTogether';
export type BoundedOperation = Exclude<
  { [Name in keyof Core]: IsOperation<Core[Name]> extends true ? Name : never }[keyof Core],
  Unattended | Together
>;
type InputOf<F> = F extends (op: Operation, ...rest: infer Rest) => unknown
  ? Rest extends readonly [infer Input, ...unknown[]]
    ? Input
    : object
  : never;

interface Field<Value> {
  /** Where the error says that it is, when that is not the name of the field. */
  readonly path?: string | readonly string[];
  readonly inside: readonly Value[];
  readonly outside: readonly unknown[];
}
interface Row<Input> {
  /** An input that is taken. */
  readonly base: (fixture: Fixture) => Promise<Input>;
  readonly fields: { readonly [Name in keyof Required<Input>]: Field<Required<Input>[Name]> } & {
    /** Not of the input, but of the operation itself. */
    readonly idempotency?: Field<core.IdempotencyRequest>;
  };
}

const bytes = (length: number) => new Uint8Array(length);
const text = (length: number) => 'x'.repeat(length);
const day = 24 * 60 * 60;

const noBytes: readonly unknown[] = ['text', null, [1, 2], new Uint16Array(1), 7];
const lengths = (maximum: number, minimum = 0, known: readonly Uint8Array[] = []): Field<Uint8Array> => ({
  inside: known,
  outside: [...noBytes, bytes(maximum + 1), ...(minimum === 0 ? [] : [bytes(minimum - 1)])],
});
const sized = (maximum: number, minimum = 0): Field<Uint8Array> =>
  lengths(maximum, minimum, [bytes(minimum), bytes(maximum)]);
const whole = (minimum: number, maximum: number): Field<number> => ({
  inside: [minimum, maximum],
  outside: [minimum - 1, maximum + 1, -minimum - 1, minimum + 0.5, Number.POSITIVE_INFINITY, `${minimum}`, null],
});
const id = (known: readonly string[] = []): Field<string> => ({
  inside: known,
  outside: ['', 'not-a-uuid', newId().toUpperCase(), `${newId()}0`, ` ${newId()}`, 7, null, {}],
});
/** An id that may be absent, and then may be `null` as well. */
const optionalId = (): Field<string> => ({ ...id(), outside: id().outside.filter((value) => value !== null) });
const line = (maximum: number): Field<string> => ({
  inside: ['x', text(maximum)],
  outside: ['', text(maximum + 1), 'two\nlines', '\ud800', 7, {}],
});
const flag: Field<boolean> = { inside: [true, false], outside: ['true', 1, null] };
/** A list of one to a number of values, none of which is one of those outside. */
const listed = (
  maximum: number,
  make: (index: number) => string,
  outside: readonly unknown[],
): Field<readonly string[]> => ({
  inside: [[make(0)], Array.from({ length: maximum }, (_, index) => make(index))],
  outside: [
    'text',
    null,
    [],
    Array.from({ length: maximum + 1 }, (_, index) => make(index)),
    ...outside.map((one) => [one]),
  ],
});
const oneOf = <T>(...values: T[]): Field<T> => ({ inside: values, outside: ['other', '', 7, {}] });
const version: Field<number> = { ...whole(1, BOUNDS.keyVersion), inside: [1] };
const instants: Field<Date | null> = {
  inside: [new Date(0), new Date(BOUNDS.instant.latest), null],
  outside: [
    new Date(-1),
    new Date(BOUNDS.instant.latest + 1),
    new Date('0001-01-01T00:00:00Z'),
    new Date(Number.NaN),
    '2030-01-01T00:00:00Z',
  ],
};

const context: Field<EncryptionContext> = {
  inside: [{}, { n: text(8000) }, Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`n${index}`, 'v']))],
  outside: [
    'text',
    null,
    [],
    { n: 1 },
    { n: null },
    { n: undefined },
    { n: text(8 * 1024) },
    { '': 'v' },
    { n: '\ud800' },
    { '\ud800': 'v' },
    { n: '\0' },
    { [text(1025)]: 'v' },
    Object.fromEntries([['__proto__', 'v']]),
    Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`n${index}`, 'v'])),
  ],
};
const metadata: Field<core.Metadata> = {
  inside: [{}, { n: text(1024) }, { n: [1, true, null, { m: 0.5 }] }],
  outside: [
    'text',
    null,
    [],
    { n: Number.POSITIVE_INFINITY },
    { n: undefined },
    { n: text(1025) },
    { [text(129)]: 'v' },
  ],
};
const once = { key: 'k', fingerprint: bytes(32) };
let keys = 0;
const idempotency: Field<core.IdempotencyRequest> = {
  get inside() {
    keys += 1;
    return [
      { ...once, key: `${keys}`.padEnd(255, 'k') },
      { key: `${keys}`, fingerprint: bytes(64) },
    ];
  },
  outside: [
    'text',
    { ...once, key: '' },
    { ...once, key: text(256) },
    { ...once, key: 7 },
    { ...once, key: '\0' },
    { ...once, fingerprint: bytes(31) },
    { ...once, fingerprint: bytes(65) },
    { ...once, fingerprint: 'text' },
  ],
};

const statement = { effect: 'allow', actions: ['kms:encrypt'], resources: ['*'] } as const;
const withStatement = (part: object) => ({ version: '1', statements: [{ ...statement, ...part }] });
const withConditions = (conditions: unknown) => withStatement({ conditions });
const many = (count: number, make: (index: number) => string) => Array.from({ length: count }, (_, i) => make(i));
const address = (index: number) => `10.0.${Math.floor(index / 256)}.${index % 256}`;
const policies: { inside: readonly PolicyDocument[]; outside: readonly unknown[] } = {
  inside: [
    { version: '1', statements: [] },
    { version: '1', statements: Array.from({ length: 64 }, () => statement) },
    { version: '1', statements: [{ ...statement, actions: ['*', 'kms:keys:*'], principals: many(256, String) }] },
    {
      version: '1',
      statements: [{ ...statement, resources: many(256, newId), conditions: { ip: many(64, address), mfa: true } }],
    },
    ...['2030-01-01T00:00:00Z', '2030-01-01T00:00:00.123456+14:00', '1999-12-31t23:59:59-08:30'].map(
      (notBefore): PolicyDocument => ({
        version: '1',
        statements: [{ ...statement, conditions: { time: { notBefore } } }],
      }),
    ),
  ],
  outside: [
    'text',
    [],
    { version: '2', statements: [] },
    { version: '1' },
    { version: '1', statements: Array.from({ length: 65 }, () => statement) },
    { version: '1', statements: [null] },
    { version: '1', statements: [], note: 'not kept' },
    withStatement({ principal: ['somebody'] }),
    withConditions({ ips: ['10.0.0.0/8'] }),
    withConditions({ time: { before: '2030-01-01T00:00:00Z' } }),
    withStatement({ effect: 'maybe' }),
    withStatement({ actions: [] }),
    withStatement({ actions: ['kms:nothing'] }),
    withStatement({ actions: many(65, () => '*') }),
    withStatement({ actions: 'kms:encrypt' }),
    withStatement({ resources: [] }),
    withStatement({ resources: ['key'] }),
    withStatement({ resources: many(257, newId) }),
    withStatement({ principals: [] }),
    withStatement({ principals: [7] }),
    withStatement({ principals: [text(257)] }),
    withStatement({ principals: many(257, String) }),
    withConditions('text'),
    withConditions({ tenant: ['text'] }),
    withConditions({ tenant: many(65, newId) }),
    withConditions({ ip: ['10.0.0.0/33'] }),
    withConditions({ ip: [] }),
    withConditions({ ip: many(65, address) }),
    withConditions({ mfa: 'yes' }),
    withConditions({ time: 7 }),
    withConditions({ time: { notBefore: 'soon' } }),
    withConditions({ time: { notBefore: 2030 } }),
    withConditions({ time: { notBefore: null } }),
    withConditions({ time: { notBefore: '2030-01-01' } }),
    withConditions({ time: { notAfter: '2030-01-01T00:00:00' } }),
    withConditions({ time: { notAfter: 'Tue, 01 Jan 2030 00:00:00 GMT' } }),
    withConditions({ time: { notBefore: '2030-01-01T00:00:00Z', notAfter: '2030-01-01T00:00:00Z' } }),
  ],
};
const cursor: Field<string> = {
  inside: [],
  outside: ['', 'x', text(513), 7, Buffer.from(`${2 ** 52}.${newId()}`).toString('base64url')],
};
const policy: Field<PolicyDocument> = policies;
const chosenPolicy: Field<PolicyDocument | null> = { ...policies, inside: [null, ...policies.inside] };

const name: Field<string | null> = { ...line(BOUNDS.nameCharacters), inside: [null, 'x', text(256)] };
const rotation: Field<core.RotationInput> = {
  inside: [
    {},
    { periodSeconds: 60 },
    { periodSeconds: 3650 * day, retainVersions: 1000 },
    { retainVersions: 1 },
    { periodSeconds: null, auto: false, retainVersions: null },
  ],
  outside: [
    null,
    'P90D',
    { periodSeconds: 59 },
    { periodSeconds: 3650 * day + 1 },
    { periodSeconds: 90.5 },
    { periodSeconds: Number.NaN },
    { periodSeconds: '90' },
    { retainVersions: 0 },
    { retainVersions: 1001 },
    { retainVersions: -1 },
    { auto: 'yes' },
    { auto: true },
  ],
};
const usageLimits: Field<Partial<core.UsageLimits>> = {
  inside: [
    {},
    { maxOperations: 1 },
    { maxOperations: Number.MAX_SAFE_INTEGER },
    { maxOperations: null, expiresAt: null },
    ...instants.inside.map((expiresAt) => ({ expiresAt })),
  ],
  outside: [
    null,
    'text',
    { maxOperations: 0 },
    { maxOperations: -1 },
    { maxOperations: 0.5 },
    { maxOperations: Number.NaN },
    { maxOperations: 2 ** 53 },
    ...instants.outside.map((expiresAt) => ({ expiresAt })),
  ],
};
const algorithm: Field<core.Algorithm> = {
  inside: [core.resolveAlgorithm('AES-256-GCM'), core.resolveAlgorithm('Ed25519')],
  outside: ['AES-256-GCM', null, { ...core.resolveAlgorithm('AES-256-GCM') }],
};
/** Without one a key has the default. */
const optionalAlgorithm: Field<core.Algorithm | null> = {
  inside: [...algorithm.inside, null],
  outside: algorithm.outside.filter((value) => value !== null),
};
const protectionLevel: Field<core.ProtectionLevel> = { inside: ['software'], outside: ['hardware', '', 7, {}] };

const newKey = async (f: Fixture, algorithmName = 'AES-256-GCM') =>
  (await core.createKey({ kms: f.kms, caller: f.admin }, { algorithm: core.resolveAlgorithm(algorithmName) })).keyId;
const some = Buffer.from('some data');
const change = {
  keyId: id(),
  ifRevision: { ...whole(1, Number.MAX_SAFE_INTEGER), inside: [1] },
  statedReason: { ...line(BOUNDS.reasonCharacters), inside: ['x'] },
  idempotency,
};
const changed = async (f: Fixture) => ({ keyId: await newKey(f) });
const safeguards = {
  destroyGuardDays: { inside: [null, 0, 3650], outside: [-1, 0.5, 3651, '7', {}] } satisfies Field<number | null>,
  requireApproval: { inside: [null, 0, 10], outside: [-1, 0.5, 11, '2', {}] } satisfies Field<number | null>,
};
/** What the last use was, is for the state of the key to decide. */
const acknowledgeLastUse: Field<Date> = { inside: [], outside: instants.outside };
const settings = {
  ...safeguards,
  name,
  purpose: oneOf<core.KeyPurpose | null>('encryption', null),
  rotation,
  usageLimits,
  metadata,
  policy: chosenPolicy,
  allowLockout: flag,
  parentKeyId: optionalId(),
};
const signing = { data: sized(BOUNDS.messageBytes), keyId: id() };
const options: Field<core.SignatureOptions> = {
  path: ['options', 'context', 'format', 'scheme', 'messageType', 'hash'],
  inside: [{}, { context: bytes(0) }],
  outside: [
    { context: bytes(256) },
    { context: 'text' },
    { format: 'pem' },
    { scheme: 'none' },
    { messageType: 'DIGEST' },
    { hash: 'sha1' },
  ],
};

async function encrypted(f: Fixture) {
  const keyId = await newKey(f);
  return core.encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: some });
}
const encryptRow: Row<core.EncryptInput> = {
  base: async (f) => ({ keyId: await newKey(f), plaintext: some }),
  fields: { keyId: id(), plaintext: sized(BOUNDS.plaintextBytes), context },
};
const noContext = { ...context, inside: [{}] };
const decryptRow: Row<core.DecryptInput> = {
  base: async (f) => ({ ciphertext: (await encrypted(f)).ciphertext }),
  fields: { ciphertext: lengths(BOUNDS.ciphertextBytes), context: noContext, keyId: optionalId() },
};
const wrapRow: Row<core.WrapInput> = {
  base: async (f) => ({ keyId: await newKey(f), dataKey: some }),
  fields: { keyId: id(), dataKey: sized(BOUNDS.plaintextBytes, 1), associatedData: sized(BOUNDS.associatedDataBytes) },
};
const unwrapRow: Row<core.UnwrapInput> = {
  base: async (f) => {
    const { wrappedKey } = await core.wrap({ kms: f.kms, caller: f.admin }, { keyId: await newKey(f), dataKey: some });
    return { wrappedKey };
  },
  fields: {
    wrappedKey: lengths(BOUNDS.ciphertextBytes),
    associatedData: lengths(BOUNDS.associatedDataBytes, 0, [bytes(0)]),
    keyId: optionalId(),
  },
};
const signRow: Row<core.SignInput> = {
  base: async (f) => ({ keyId: await newKey(f, 'Ed25519'), data: some }),
  fields: { ...signing, options: options, keyVersion: version },
};
const macRow: Row<core.MacInput> = {
  base: async (f) => ({ keyId: await newKey(f, 'HMAC-SHA256'), data: some }),
  fields: { ...signing, keyVersion: version },
};

const agreement = generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' });

async function imported(): Promise<(f: Fixture) => Promise<core.ImportKeyInput>> {
  return async (f) => {
    const parameters = await core.createImportParameters(
      { kms: f.kms, caller: f.admin },
      { wrappingAlgorithm: 'ML_KEM_768_AES_KWP' },
    );
    const publicKey = createPublicKey({ key: Buffer.from(parameters.publicKey), format: 'der', type: 'spki' });
    const { sharedKey, ciphertext } = encapsulateKem(publicKey);
    const wrap = createCipheriv('aes256-wrap-pad', sharedKey, Buffer.from('a65959a6', 'hex'));
    return {
      algorithm: core.resolveAlgorithm('AES-256-GCM'),
      wrappingAlgorithm: 'ML_KEM_768_AES_KWP',
      importToken: parameters.importToken,
      wrappedMaterial: Buffer.concat([ciphertext, wrap.update(bytes(32)), wrap.final()]),
    };
  };
}

const someInstant: Field<Date> = {
  inside: [new Date(0), new Date(BOUNDS.instant.latest)],
  outside: [...instants.outside, null],
};

/** The id of a new identity binding. */
async function bound(f: Fixture): Promise<string> {
  const input = { issuer: 'https://issuer.example', match: { sub: 'orders' }, role: 'key_user' } as const;
  return (await core.createIdentityBinding({ kms: f.kms, caller: f.admin }, input)).bindingId;
}

/** The id of a request for approvals. */
async function asked(f: Fixture): Promise<string> {
  const op = { kms: f.kms, caller: f.admin };
  const { keyId } = await core.createKey(op, { requireApproval: 1 });
  const refusal: unknown = await core.destroyKey(op, { keyId }).catch((error: unknown) => error);
  return core.KmsError.is(refusal) ? String(refusal.details?.['approvalId']) : '';
}

async function denied(f: Fixture): Promise<string> {
  const input = { issuer: 'https://issuer.example', sub: 'orders' };
  return (await core.denyIdentity({ kms: f.kms, caller: f.admin }, input)).denialId;
}

/** The id of a new migration. */
async function migrating(f: Fixture): Promise<core.NamedMigration> {
  const { items } = await core.listMigrations({ kms: f.kms, caller: f.admin }, {});
  for (const { migrationId } of items) await core.cancelMigration({ kms: f.kms, caller: f.admin }, { migrationId });
  const { migration } = await core.createMigration({ kms: f.kms, caller: f.admin }, { target: 'quantum-safe' });
  return { migrationId: migration?.migrationId ?? '' };
}

/** The bounds of every operation with a caller, and of every field that it takes: the compiler asks for all of them. */
export const BOUNDED: { readonly [Name in BoundedOperation]: Row<InputOf<Core[Name]>> } = {
  encrypt: encryptRow,
  decrypt: decryptRow,
  reencrypt: {
    base: async (f) => ({ ciphertext: (await encrypted(f)).ciphertext }),
    fields: {
      ciphertext: lengths(BOUNDS.ciphertextBytes),
      context: noContext,
      newContext: context,
      sourceKeyId: id(),
      destinationKeyId: id(),
    },
  },
  wrap: wrapRow,
  unwrap: unwrapRow,
  createDataKey: {
    base: changed,
    fields: {
      keyId: id(),
      bytes: whole(16, 64),
      associatedData: sized(BOUNDS.associatedDataBytes),
      context,
      withPlaintext: flag,
    },
  },
  sign: signRow,
  verify: {
    base: async (f) => ({ keyId: await newKey(f, 'Ed25519'), data: some, signature: bytes(64) }),
    fields: {
      ...signing,
      signature: sized(BOUNDS.signatureBytes),
      options: options,
      keyVersion: version,
    },
  },
  mac: macRow,
  verifyMac: {
    base: async (f) => ({ keyId: await newKey(f, 'HMAC-SHA256'), data: some, mac: bytes(32) }),
    fields: { ...signing, mac: sized(BOUNDS.macBytes), keyVersion: version },
  },
  encapsulate: { base: async (f) => ({ keyId: await newKey(f, 'ML-KEM-512') }), fields: { keyId: id() } },
  decapsulate: {
    base: async (f) => {
      const keyId = await newKey(f, 'ML-KEM-512');
      return { keyId, ciphertext: (await core.encapsulate({ kms: f.kms, caller: f.admin }, { keyId })).ciphertext };
    },
    fields: { keyId: id(), ciphertext: lengths(BOUNDS.kemCiphertextBytes), keyVersion: version },
  },
  derive: {
    base: async (f) => ({ keyId: await newKey(f, 'X25519'), peerPublicKey: agreement }),
    fields: {
      keyId: id(),
      peerPublicKey: lengths(BOUNDS.publicKeyBytes, 1, [agreement]),
      salt: sized(BOUNDS.deriveInfoBytes),
      info: sized(BOUNDS.deriveInfoBytes),
      length: whole(16, 64),
      keyVersion: version,
    },
  },
  random: { base: async () => ({ bytes: 32 }), fields: { bytes: whole(1, 1024) } },
  createKey: {
    base: async () => ({}),
    fields: { ...settings, algorithm: optionalAlgorithm, protectionLevel, idempotency },
  },
  importKey: {
    base: await imported(),
    fields: {
      ...settings,
      rotation: { ...rotation, inside: [{}, { retainVersions: 1 }] },
      algorithm: { ...algorithm, inside: [core.resolveAlgorithm('AES-256-GCM')] },
      keyId: id(),
      wrappingAlgorithm: { ...oneOf<core.WrappingAlgorithm>(), inside: ['ML_KEM_768_AES_KWP'] },
      importToken: lengths(BOUNDS.importTokenBytes, 1),
      wrappedMaterial: lengths(BOUNDS.wrappedMaterialBytes, 1),
      protectionLevel,
      idempotency,
    },
  },
  createImportParameters: {
    base: async () => ({ wrappingAlgorithm: 'ML_KEM_768_AES_KWP' }),
    fields: { wrappingAlgorithm: oneOf<core.WrappingAlgorithm>(...core.WRAPPING_ALGORITHMS) },
  },
  createMigration: {
    base: async () => ({ target: 'quantum-safe', dryRun: true }),
    fields: {
      selector: {
        inside: [
          {},
          { name: text(256) },
          { keyIds: many(256, newId) },
          { algorithm: core.resolveAlgorithm('Ed25519') },
        ],
        outside: [
          null,
          'text',
          { algorithm: 'Ed25519' },
          { purpose: 'none' },
          { protectionLevel: 'none' },
          { name: text(257) },
          { keyIds: [] },
          { keyIds: many(257, newId) },
          { keyIds: ['key'] },
        ],
      },
      target: { inside: ['quantum-safe', core.resolveAlgorithm('ML-DSA-65')], outside: ['ML-DSA-65', null, 7] },
      dryRun: { ...flag, inside: [true] },
      limit: whole(1, 200),
      cursor,
      idempotency,
    },
  },
  listMigrations: { base: async () => ({}), fields: { limit: whole(1, 200), cursor } },
  getMigration: { base: migrating, fields: { migrationId: id() } },
  cancelMigration: { base: migrating, fields: { migrationId: id(), idempotency } },
  getKey: { base: changed, fields: { keyId: id() } },
  requireAccess: {
    base: async (f) => ({ ...(await changed(f)), permission: 'kms:keys:read' }),
    fields: { keyId: id(), permission: oneOf<core.Permission>(...core.PERMISSIONS) },
  },
  getPublicKey: {
    base: async (f) => ({ keyId: await newKey(f, 'Ed25519') }),
    fields: { keyId: id(), keyVersion: version },
  },
  getKeyUsage: { base: changed, fields: { keyId: id(), days: whole(1, 3650) } },
  retireVersions: {
    base: async (f) => ({ ...(await changed(f)), olderThanDays: 90 }),
    fields: { ...change, olderThanDays: whole(1, 3650) },
  },
  getKeyPolicy: { base: changed, fields: { keyId: id() } },
  putKeyPolicy: {
    base: async (f) => ({ ...(await changed(f)), policy: { version: '1', statements: [] } }),
    fields: { ...change, policy, allowLockout: flag },
  },
  deleteKeyPolicy: { base: changed, fields: change },
  keyStatistics: { base: async () => ({}), fields: {} },
  getInventory: { base: async () => ({}), fields: { limit: whole(1, 200), cursor } },
  exportInventory: { base: async () => ({}), fields: {} },
  listKeys: {
    base: async () => ({}),
    fields: {
      limit: whole(1, 200),
      cursor,
      state: oneOf<core.KeyState>(...core.KEY_STATES),
      algorithm: line(BOUNDS.nameCharacters),
      purpose: line(BOUNDS.nameCharacters),
      name: line(BOUNDS.nameCharacters),
    },
  },
  rotationSchedules: {
    base: async () => ({}),
    fields: { limit: whole(1, 200), withinDays: whole(1, 3650) },
  },
  updateKey: { base: changed, fields: { ...change, ...safeguards, name, metadata, rotation, usageLimits } },
  rotateKey: { base: changed, fields: change },
  upgradeKey: { base: changed, fields: change },
  suspendKey: { base: changed, fields: change },
  resumeKey: {
    base: async (f) => {
      const { keyId } = await changed(f);
      await core.suspendKey({ kms: f.kms, caller: f.admin }, { keyId });
      return { keyId };
    },
    fields: { ...change, ifRevision: { ...change.ifRevision, inside: [2] } },
  },
  revokeKey: {
    base: async (f) => ({ ...(await changed(f)), reason: 'end_of_life' }),
    fields: { ...change, reason: oneOf<core.RevocationReason>(...core.REVOCATION_REASONS), cascade: flag },
  },
  destroyKey: { base: changed, fields: { ...change, pendingDays: whole(1, 90), acknowledgeLastUse } },
  restoreKey: {
    base: async (f) => {
      const { keyId } = await changed(f);
      await core.destroyKey({ kms: f.kms, caller: f.admin }, { keyId });
      return { keyId };
    },
    fields: { ...change, ifRevision: { ...change.ifRevision, inside: [2] } },
  },
  shredKey: {
    base: async (f) => {
      const { keyId } = await changed(f);
      return { keyId, confirmation: `SHRED-${keyId}` };
    },
    fields: { ...change, acknowledgeLastUse, confirmation: { inside: [], outside: ['', 'SHRED-', 7, null, {}] } },
  },
  createApiToken: {
    base: async () => ({ name: 'token', role: 'key_user' }),
    fields: {
      name: line(BOUNDS.nameCharacters),
      role: oneOf<core.Role | null>('key_user', 'auditor'),
      permissions: {
        inside: [[], core.PERMISSIONS.filter((permission) => permission !== 'kms:tenants:manage')],
        outside: ['kms:encrypt', ['kms:nothing'], [7], Array.from({ length: 65 }, () => 'kms:encrypt')],
      },
      expiresAt: { ...instants, inside: [null, new Date(BOUNDS.instant.latest)] },
      purpose: line(BOUNDS.reasonCharacters),
      keys: listed(BOUNDS.tokenKeys, newId, id().outside),
      addresses: listed(BOUNDS.tokenAddresses, (index) => `10.0.0.${index}/32`, [
        '',
        'localhost',
        '10.0.0.0/33',
        7,
        null,
      ]),
      rate: whole(1, 1_000_000_000),
      awsCredentials: flag,
      idempotency,
    },
  },
  rotateApiToken: {
    base: async (f) => ({
      tokenId: (await core.createApiToken({ kms: f.kms, caller: f.admin }, { name: 't', role: 'auditor' })).tokenId,
    }),
    fields: { tokenId: id(), overlapSeconds: whole(0, 7 * 24 * 60 * 60), idempotency },
  },
  getApiToken: {
    base: async (f) => ({
      tokenId: (await core.createApiToken({ kms: f.kms, caller: f.admin }, { name: 't', role: 'auditor' })).tokenId,
    }),
    fields: { tokenId: id() },
  },
  listAuditEvents: {
    base: async () => ({}),
    fields: {
      limit: whole(1, 200),
      cursor,
      keyId: id([newId()]),
      eventType: oneOf<core.AuditEventType>(...core.AUDIT_EVENT_TYPES),
      actor: line(BOUNDS.subjectCharacters),
      result: oneOf<core.AuditResult>(...core.AUDIT_RESULTS),
      from: someInstant,
      to: someInstant,
    },
  },
  getAuditBatch: { base: async () => ({ eventId: newId() }), fields: { eventId: id() } },
  listAuditCheckpoints: { base: async () => ({}), fields: { limit: whole(1, 200), cursor } },
  exportAudit: {
    base: async () => ({}),
    fields: { after: whole(0, Number.MAX_SAFE_INTEGER), batches: whole(1, 100) },
  },
  getOwnApiToken: { base: async () => ({}), fields: {} },
  listApiTokens: { base: async () => ({}), fields: { limit: whole(1, 200), cursor } },
  revokeApiToken: {
    base: async (f) => ({
      tokenId: (await core.createApiToken({ kms: f.kms, caller: f.admin }, { name: 't', role: 'auditor' })).tokenId,
    }),
    fields: { tokenId: id(), cascade: flag, idempotency },
  },
  createIdentityBinding: {
    base: async () => ({ issuer: 'https://issuer.example', match: { sub: 'orders' }, role: 'key_user' }),
    fields: {
      issuer: {
        ...line(BOUNDS.identity.issuerCharacters),
        outside: [...line(512).outside, 'https://issuer.example/#x'],
      },
      match: {
        inside: [
          { sub: 'a*', aud: 'kms' },
          { sub: '*', group: 'g' },
          { [text(128)]: text(512) },
          Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`c${index}`, 'v'])),
        ],
        outside: [
          'text',
          null,
          [],
          {},
          { sub: '*' },
          { sub: '*', name: '*' },
          { iss: 'https://issuer.example', aud: 'kms' },
          { aud: 'kms', sub: '*' },
          { sub: 'a*b' },
          { sub: '**' },
          { sub: '*a' },
          { sub: '' },
          { sub: 7 },
          { sub: text(513) },
          { '': 'v' },
          { [text(129)]: 'v' },
          { sub: '\ud800' },
          { sub: 'two\nlines' },
          Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`c${index}`, 'v'])),
        ],
      },
      certificate: {
        inside: [
          null,
          { 'san.uri': '*' },
          { 'san.dns': 'a', 'san.email': 'b*', 'subject.cn': text(512), fingerprint: 'c' },
        ],
        outside: [
          'text',
          [],
          {},
          { sub: 'a' },
          { 'san.uri': 'a*b' },
          { 'san.uri': 7 },
          { 'san.uri': '' },
          { 'san.uri': text(513) },
        ],
      },
      role: { ...oneOf<core.Role | null>('key_user', 'tenant_admin'), outside: ['other', '', 7, {}, 'platform_admin'] },
      permissions: {
        inside: [[], core.PERMISSIONS.filter((permission) => permission !== 'kms:tenants:manage')],
        outside: ['kms:encrypt', ['kms:nothing'], [7], Array.from({ length: 65 }, () => 'kms:encrypt')],
      },
      keys: {
        inside: [null, [newId()], Array.from({ length: 256 }, () => newId())],
        outside: ['text', [], [7], ['not-a-uuid'], [newId().toUpperCase()], Array.from({ length: 257 }, () => newId())],
      },
      expiresAt: { ...instants, inside: [null, new Date(BOUNDS.instant.latest)] },
      idempotency,
    },
  },
  listIdentityBindings: { base: async () => ({}), fields: { limit: whole(1, 200), cursor } },
  getIdentityBinding: { base: async (f) => ({ bindingId: await bound(f) }), fields: { bindingId: id() } },
  deleteIdentityBinding: {
    base: async (f) => ({ bindingId: await bound(f) }),
    fields: { bindingId: id(), idempotency },
  },
  denyIdentity: {
    base: async () => ({ issuer: 'https://issuer.example', sub: 'orders' }),
    fields: {
      issuer: line(BOUNDS.identity.issuerCharacters),
      sub: { ...line(BOUNDS.identity.valueCharacters) },
      // Beside `sub`, which the base has.
      jti: { path: 'sub', inside: [], outside: ['id'] },
      before: {
        ...someInstant,
        inside: [new Date(0), new Date()],
        outside: [...someInstant.outside, new Date(Date.now() + 3_600_000)],
      },
      idempotency,
    },
  },
  listIdentityDenials: { base: async () => ({}), fields: { limit: whole(1, 200), cursor } },
  liftIdentityDenial: {
    base: async (f) => ({ denialId: await denied(f) }),
    fields: { denialId: id(), idempotency },
  },
  listApprovals: {
    base: async () => ({}),
    fields: { limit: whole(1, 200), cursor, state: oneOf<core.ApprovalState>(...core.APPROVAL_STATES) },
  },
  getApproval: { base: async (f) => ({ approvalId: await asked(f) }), fields: { approvalId: id() } },
  decideApproval: {
    base: async (f) => ({ approvalId: await asked(f), decision: 'withdraw' }),
    fields: {
      approvalId: id(),
      decision: oneOf<core.DecideApprovalInput['decision']>('withdraw', 'refuse'),
      idempotency,
    },
  },
  createTenant: {
    base: async () => ({ name: 'tenant' }),
    fields: {
      tenantId: { ...id(), outside: [...id().outside, '11111111-1111-1111-1111-111111111111', core.SYSTEM_TENANT] },
      name: line(BOUNDS.nameCharacters),
      idempotency,
    },
  },
  listTenants: { base: async () => ({}), fields: { limit: whole(1, 200), cursor } },
  updateTenant: {
    base: async (f) => ({ tenantId: f.admin.tenantId, limits: { rate: { unitsPerSecond: 100 } } }),
    fields: {
      tenantId: { ...id(), inside: [], outside: [...id().outside] },
      limits: {
        inside: [
          {},
          { rate: null },
          { rate: { unitsPerSecond: 0 } },
          { rate: { unitsPerSecond: 1_000_000_000, burst: 1_000_000_000 } },
          { rate: { unitsPerSecond: 1, burst: 1 } },
          { destroyGuardDays: 3650, requireApproval: 0 },
          { destroyGuardDays: null, requireApproval: null },
        ],
        outside: [
          null,
          7,
          { rate: 7 },
          { rate: {} },
          { rate: { unitsPerSecond: -1 } },
          { rate: { unitsPerSecond: 1_000_000_001 } },
          { rate: { unitsPerSecond: 1.5 } },
          { rate: { unitsPerSecond: 5, burst: 0 } },
          { rate: { unitsPerSecond: 5, burst: '5' } },
          { rate: { unitsPerSecond: 0, burst: 5 } },
          { destroyGuardDays: 3651 },
          { destroyGuardDays: -1 },
          { requireApproval: 11 },
          { requireApproval: 0.5 },
        ],
      },
      idempotency,
    },
  },
  getTenant: {
    base: async (f) => ({ tenantId: f.admin.tenantId }),
    fields: { tenantId: id() },
  },
  rotateMasterKey: {
    base: async (f) => ({ tenantId: f.admin.tenantId }),
    fields: { tenantId: id(), idempotency },
  },
  tenantUsage: {
    base: async (f) => ({ tenantId: f.admin.tenantId }),
    fields: { tenantId: { ...id(), inside: [], outside: [...id().outside] } },
  },
  shredTenant: {
    base: async (f) => ({ tenantId: f.admin.tenantId, confirmation: `SHRED-${f.admin.tenantId}`, reason: 'test' }),
    fields: {
      tenantId: id(),
      confirmation: { inside: [], outside: ['', 'SHRED-', 7, null, {}] },
      reason: { ...line(BOUNDS.reasonCharacters), inside: [] },
      idempotency: { ...idempotency, inside: [] },
    },
  },
};
