import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { programEnvironment, type SoftHsmToken } from '@qnsp/test-harness';
import type * as pkcs11js from 'pkcs11js';

/** What somebody who knows the PIN does to a token behind the service's back. */
export type RawAct =
  /** Makes an AES key with every attribute as a root needs it, except those given. */
  | { readonly act: 'make'; readonly label: string; readonly id: string; readonly attributes: Record<string, boolean> }
  /** Puts a known value into the token as an AES key. */
  | { readonly act: 'import'; readonly label: string; readonly id: string }
  /** The one key with this label, secret or private. */
  | { readonly act: 'read-value' | 'copy' | 'wrap-out' | 'destroy'; readonly label: string }
  | {
      readonly act: 'set';
      readonly label: string;
      readonly attribute: string;
      readonly value: boolean;
    };

const SCRIPT = fileURLToPath(import.meta.url);

/** Answers `done`, or the name or message of the error with which the token refused. */
export function raw(token: SoftHsmToken, act: RawAct): string {
  return execFileSync(process.execPath, [SCRIPT, token.modulePath, token.pin, JSON.stringify(act)], {
    env: { ...programEnvironment(), SOFTHSM2_CONF: token.configPath },
    encoding: 'utf8',
  }).trim();
}

const SAFE: Record<string, boolean> = {
  CKA_TOKEN: true,
  CKA_PRIVATE: true,
  CKA_SENSITIVE: true,
  CKA_EXTRACTABLE: false,
  CKA_MODIFIABLE: false,
  CKA_COPYABLE: false,
  CKA_ENCRYPT: true,
  CKA_DECRYPT: true,
  CKA_SIGN: false,
  CKA_VERIFY: false,
  CKA_WRAP: false,
  CKA_UNWRAP: false,
  CKA_DERIVE: false,
};

function run(modulePath: string, pin: string, act: RawAct): void {
  const driver = createRequire(import.meta.url)('pkcs11js') as typeof pkcs11js;
  const module = new driver.PKCS11();
  module.load(modulePath);
  module.C_Initialize();
  const slot = module.C_GetSlotList(true)[0];
  if (slot === undefined) throw new Error('no slot');
  const session = module.C_OpenSession(slot, driver.CKF_SERIAL_SESSION | driver.CKF_RW_SESSION);
  module.C_Login(session, driver.CKU_USER, pin);
  // Names of attributes and their numbers.
  const numbers = driver as unknown as Record<string, number>;
  const typed = (attributes: Record<string, boolean>): pkcs11js.Template =>
    Object.entries(attributes).map(([name, value]) => ({ type: numbers[name] ?? 0, value }));
  const named = (label: string, id: string): pkcs11js.Template => [
    { type: driver.CKA_CLASS, value: driver.CKO_SECRET_KEY },
    { type: driver.CKA_KEY_TYPE, value: driver.CKK_AES },
    { type: driver.CKA_LABEL, value: label },
    { type: driver.CKA_ID, value: Buffer.from(id, 'hex') },
  ];
  const find = (label: string): pkcs11js.Handle => {
    for (const kind of [driver.CKO_SECRET_KEY, driver.CKO_PRIVATE_KEY]) {
      module.C_FindObjectsInit(session, [
        { type: driver.CKA_LABEL, value: label },
        { type: driver.CKA_CLASS, value: kind },
      ]);
      const found = module.C_FindObjects(session);
      module.C_FindObjectsFinal(session);
      if (found !== null) return found;
    }
    throw new Error('no object');
  };
  switch (act.act) {
    case 'make':
      module.C_GenerateKey(session, { mechanism: driver.CKM_AES_KEY_GEN }, [
        ...named(act.label, act.id),
        { type: driver.CKA_VALUE_LEN, value: 32 },
        ...typed({ ...SAFE, ...act.attributes }),
      ]);
      break;
    case 'import':
      module.C_CreateObject(session, [
        ...named(act.label, act.id),
        { type: driver.CKA_VALUE, value: Buffer.alloc(32, 7) },
        ...typed(SAFE),
      ]);
      break;
    case 'read-value':
      module.C_GetAttributeValue(session, find(act.label), [{ type: driver.CKA_VALUE }]);
      break;
    case 'copy':
      module.C_CopyObject(session, find(act.label), typed({ CKA_EXTRACTABLE: true, CKA_SENSITIVE: false }));
      break;
    case 'set':
      module.C_SetAttributeValue(session, find(act.label), typed({ [act.attribute]: act.value }));
      break;
    case 'destroy':
      module.C_DestroyObject(session, find(act.label));
      break;
    case 'wrap-out': {
      // Clulow: wrap the key under one that also decrypts, then decrypt what came out.
      const wrapping = module.C_GenerateKey(session, { mechanism: driver.CKM_AES_KEY_GEN }, [
        ...named('attacker', 'ff'),
        { type: driver.CKA_VALUE_LEN, value: 32 },
        ...typed({ ...SAFE, CKA_TOKEN: false, CKA_WRAP: true, CKA_UNWRAP: true }),
      ]);
      const mechanism = { mechanism: driver.CKM_AES_KEY_WRAP };
      module.C_WrapKey(session, mechanism, wrapping, find(act.label), Buffer.alloc(100));
    }
  }
}

if (process.argv[1] === SCRIPT) {
  const [, , modulePath = '', pin = '', act = ''] = process.argv;
  try {
    run(modulePath, pin, JSON.parse(act) as RawAct);
    process.stdout.write('done');
  } catch (error) {
    process.stdout.write(error instanceof Error ? error.message : String(error));
  }
}
