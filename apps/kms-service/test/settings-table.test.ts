import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ConfigurationError } from '../src/config/configuration-error.ts';
import { readConfig } from '../src/config/env.ts';
import { watched } from './watched-environment.ts';

const read = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');

/** Environments that together make it look at everything. */
const ENVIRONMENTS: readonly Readonly<Record<string, string>>[] = [
  {},
  { KMS_EMBEDDED_DEFAULTS: 'true' },
  { KMS_PKCS11_MODULE_PATH: '/module.so', KMS_PKCS11_SLOT: 'kms', KMS_PKCS11_PIN: '1234' },
  {
    KMS_EVIDENCE_ENABLED: 'true',
    AUDIT_SERVICE_URL: 'https://audit.example',
    AUDIT_BEARER_TOKEN: 'ab'.repeat(32),
    AUDIT_SBOM_SIGNING_PRIVATE_KEY_PEM: generateKeyPairSync('ed25519').privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    }),
  },
];

function askedNames(): ReadonlySet<string> {
  const names = new Set<string>();
  for (const each of ENVIRONMENTS) {
    const { environment, asked } = watched(each);
    try {
      readConfig(environment);
    } catch (error) {
      // What is missing is another test's.
      if (!(error instanceof ConfigurationError)) throw error;
    }
    for (const name of asked) names.add(name);
  }
  return names;
}

/** The names in the first column of the settings, and those that can be read from a file. */
function documentedNames(): ReadonlySet<string> {
  const section = /^## Configuration$([\s\S]*?)^\*\*Secrets/m.exec(read('architecture.md'))?.[1] ?? '';
  const rows = [...section.matchAll(/^\| `([A-Z][A-Z0-9_]*)` \|(.*)$/gm)];
  return new Set(
    rows.flatMap(([, name = '', rest = '']) => (rest.includes('`_FILE`') ? [name, `${name}_FILE`] : [name])),
  );
}

const isOfHsm = (name: string) => name.startsWith('KMS_PKCS11_');

test('the table of settings has every name that the service asks for, and no other', () => {
  const asked = [...askedNames()].filter((name) => !isOfHsm(name));
  const documented = documentedNames();
  // The section below the table says that these two can be read from files.
  const fromFiles = ['KMS_ROOT_KEY_FILE', 'DATABASE_URL_FILE'];
  expect(asked.filter((name) => !documented.has(name) && !fromFiles.includes(name))).toEqual([]);
  expect([...documented].filter((name) => !asked.includes(name))).toEqual([]);
  expect(asked.length).toBeGreaterThan(30);
});

test('the page of HSMs has every setting of theirs', () => {
  const page = `${read('hsm.md')}${read('architecture.md')}`;
  const asked = [...askedNames()].filter((name) => isOfHsm(name));
  expect(asked.filter((name) => !page.includes(name))).toEqual([]);
  expect(asked.length).toBeGreaterThan(5);
});
