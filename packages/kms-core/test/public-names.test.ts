import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const PACKAGE = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, PACKAGE), 'utf8');

/** The names that an entry exports, each with the file that defines it. All are written out: an entry has no `export *`. */
function namesOf(entry: string): ReadonlyMap<string, string> {
  const text = read(entry);
  expect(text).not.toContain('export *');
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';$/gm)];
  return new Map(
    lists.flatMap(([, list = '', from = '']) => {
      const file = new URL(from, new URL(entry, PACKAGE)).href;
      return list.split(',').flatMap((item) => {
        const name = item.trim().replace(/^type /, '');
        return name === '' ? [] : [[name, file] as const];
      });
    }),
  );
}

/** Whether the definition of a name has a comment of its own. */
function isDocumented(name: string, file: string): boolean {
  const definition = `export (?:abstract )?(?:async )?(?:function|class|const|interface|type) ${name}\\b`;
  return new RegExp(`\\*/\\n${definition}`).test(readFileSync(new URL(file), 'utf8'));
}

// A name that is added here is one that every later release has to keep.
const NAMES = [
  'Alert',
  'AlertSink',
  'Algorithm',
  'ApiTokenDescription',
  'AuditEvent',
  'BOUNDS',
  'CallFacts',
  'Caller',
  'CallerKms',
  'CataloguedOperation',
  'ChangeRequest',
  'CreateApiTokenInput',
  'CreateDataKeyInput',
  'CreateDataKeyResult',
  'CreateKeyInput',
  'CreateTenantInput',
  'CreatedApiToken',
  'CredentialVerifier',
  'DecapsulateInput',
  'DecapsulateResult',
  'DecryptInput',
  'DecryptResult',
  'DeriveInput',
  'DeriveResult',
  'DestroyKeyInput',
  'EncapsulateResult',
  'EncryptInput',
  'EncryptResult',
  'EncryptionContext',
  'EvidenceBatch',
  'ExportAuditInput',
  'Identity',
  'ImportKeyInput',
  'ImportParameters',
  'Issue',
  'KEY_PURPOSES',
  'KEY_STATES',
  'KeepEvidence',
  'KeyDescription',
  'KeyId',
  'KeyPurpose',
  'KeySettings',
  'KeyState',
  'KeyStatistics',
  'KmsError',
  'KmsErrorCode',
  'KmsErrorOptions',
  'ListApiTokensInput',
  'ListApiTokensResult',
  'ListAuditCheckpointsResult',
  'ListAuditEventsInput',
  'ListAuditEventsResult',
  'ListKeysInput',
  'ListKeysResult',
  'ListTenantsResult',
  'LocalCaller',
  'MacInput',
  'MacResult',
  'MasterKeyDescription',
  'Metadata',
  'NamedTenant',
  'OPERATIONS',
  'OpenCaches',
  'OpenKmsOptions',
  'OpenedKms',
  'OperationName',
  'OwnKms',
  'PERMISSIONS',
  'Permission',
  'PolicyConditions',
  'PolicyDocument',
  'PolicyStatement',
  'PresentedCredentials',
  'Presenter',
  'ProtectionLevel',
  'PublicKeyResult',
  'PutKeyPolicyInput',
  'REVOCATION_REASONS',
  'ROLES',
  'ROLE_PERMISSIONS',
  'ReencryptInput',
  'RevocationReason',
  'RevokeKeyInput',
  'Role',
  'RotationInput',
  'RotationSchedule',
  'RotationSchedules',
  'SYSTEM_TENANT',
  'Schedule',
  'ShredKeyInput',
  'ShredTenantInput',
  'SignInput',
  'SignResult',
  'SignatureOptions',
  'Storage',
  'TenantDescription',
  'TenantDetails',
  'TenantId',
  'UnwrapInput',
  'UnwrapResult',
  'UpdateKeyInput',
  'UpdateTenantInput',
  'UsageLimits',
  'VerifyInput',
  'VerifyMacInput',
  'VersionDescription',
  'VersionMatch',
  'VersionState',
  'WorkReport',
  'WrapInput',
  'WrapResult',
  'WrappedMaterial',
  'WrappingAlgorithm',
  'effectivePermissions',
  'isUuid',
  'localCaller',
  'openKms',
  'resolveAlgorithm',
  'softwareRoot',
];

test('a program imports these names and no others', () => {
  expect([...namesOf('src/index.ts').keys()].toSorted()).toEqual(NAMES);
  expect(NAMES.length).toBeLessThan(120);
});

test('each of them is documented', () => {
  const undocumented = [...namesOf('src/index.ts')].filter(([name, file]) => !isDocumented(name, file));
  expect(undocumented).toEqual([]);
});

test('what has no comment is found', () => {
  const [first] = [...namesOf('src/index.ts')];
  const [name, file] = first ?? ['', ''];
  expect(isDocumented(name, file)).toBe(true);
  expect(isDocumented(`${name}Gone`, file)).toBe(false);
});

test('a name means the same under every entry that has it', () => {
  const entries = globSync('src/exports/*.ts', { cwd: PACKAGE }).filter((entry) => !entry.endsWith('/internal.ts'));
  expect(entries.length).toBe(4);
  const root = namesOf('src/index.ts');
  for (const entry of entries)
    for (const [name, file] of namesOf(entry)) expect([name, root.get(name) ?? file]).toEqual([name, file]);
});

test('the same entries are there in the repository and in the package', () => {
  const { exports, publishConfig } = JSON.parse(read('package.json')) as {
    readonly exports: Readonly<Record<string, string>>;
    readonly publishConfig: { readonly exports: Readonly<Record<string, { types: string; default: string }>> };
  };
  expect(Object.keys(exports)).toEqual([
    '.',
    './algorithms',
    './engines',
    './internal',
    './lifecycle',
    './ports',
    './testing',
  ]);
  const built = Object.entries(exports).map(([path, source]) => {
    const stem = source.replace('./src/', './dist/').replace(/\.ts$/, '');
    return [path, { types: `${stem}.d.ts`, default: `${stem}.js` }];
  });
  expect(publishConfig.exports).toEqual(Object.fromEntries(built));
});
