import { readFileSync } from 'node:fs';
import { HSM_NUMBERS, HSM_TEXTS, type HsmConfig } from '@qnsp/hsm-pkcs11';
import type { ConfiguredHsm } from './service-config.ts';
import { type Variables, withoutLineEnd } from './variables.ts';

const LIST = 'KMS_PKCS11_CONFIGS_JSON';
const MODULE = 'KMS_PKCS11_MODULE_PATH';
const SINGLE = [
  MODULE,
  'KMS_PKCS11_SLOT',
  'KMS_PKCS11_PIN',
  'KMS_PKCS11_PIN_FILE',
  'KMS_PKCS11_KEY_ID',
  'KMS_PKCS11_LABEL',
];
const FIELDS = [
  'modulePath',
  'slot',
  'tokenLabel',
  'pin',
  'pinFile',
  'keyId',
  'label',
  'id',
  'poolSize',
  'queueLimit',
  'timeoutMs',
];

const ANY_TEXT: { readonly pattern: RegExp; readonly reason: string } = { pattern: /./, reason: 'must be text' };

/** The values of one HSM before they are checked, and how to speak of each. */
interface HsmInput {
  readonly variable: string;
  name(field: string): string;
  readonly value: (field: string) => unknown;
  readonly pin: string | undefined;
  readonly defaultId: string;
}

/** Whether any variable speaks of an HSM, right or wrong. */
export function hsmIsMeant(env: Variables): boolean {
  return [...SINGLE, LIST, `${LIST}_FILE`].some((name) => env.text(name) !== undefined);
}

/** The configured HSMs: one by its own variables, or several as a list in JSON. Problems are gathered in `env`. */
export function readHsms(env: Variables): readonly ConfiguredHsm[] {
  const single = SINGLE.filter((name) => env.text(name) !== undefined);
  const json = env.secret(LIST);
  if (json !== undefined) {
    for (const name of single) env.problem(name, `set either ${LIST} or the variables of a single HSM, not both`);
    return readList(env, json);
  }
  if (single.length === 0) return [];
  const variables: Readonly<Record<string, string>> = {
    modulePath: MODULE,
    slot: 'KMS_PKCS11_SLOT',
    pin: 'KMS_PKCS11_PIN',
    keyId: 'KMS_PKCS11_KEY_ID',
    label: 'KMS_PKCS11_LABEL',
  };
  const hsm = readHsm(env, {
    variable: MODULE,
    name: (field) => variables[field] ?? MODULE,
    value: (field) => (variables[field] === undefined ? undefined : slotOrText(field, env.text(variables[field]))),
    pin: env.exactSecret('KMS_PKCS11_PIN'),
    defaultId: 'hsm',
  });
  return hsm === undefined ? [] : [hsm];
}

/** Digits as a number is written are a slot, or the label of a token when there is no such slot; anything else is a label. */
function slotOrText(field: string, text: string | undefined): string | number | undefined {
  return field === 'slot' && text !== undefined && /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

function readList(env: Variables, json: string): readonly ConfiguredHsm[] {
  const list = parse(json);
  if (!Array.isArray(list) || list.length === 0) {
    env.problem(
      LIST,
      'must be a JSON array with an object for each HSM, e.g. [{"modulePath":"/usr/lib/softhsm/libsofthsm2.so","slot":0,"pin":"…"}]',
    );
    return [];
  }
  const hsms = list.flatMap((entry: unknown, index) => {
    const variable = `${LIST}[${index}]`;
    if (!isObject(entry)) {
      env.problem(variable, 'must be an object');
      return [];
    }
    for (const field of Object.keys(entry))
      if (!FIELDS.includes(field))
        env.problem(variable, `has the unknown field ${JSON.stringify(field)}; known ones are ${FIELDS.join(', ')}`);
    const hsm = readHsm(env, {
      variable,
      name: (field) => `${variable}.${field}`,
      value: (field) => entry[field],
      pin: pinOf(env, variable, entry),
      defaultId: index === 0 ? 'hsm' : `hsm-${index + 1}`,
    });
    return hsm === undefined ? [] : [hsm];
  });
  const ids = hsms.map(({ hsm }) => hsm.id);
  for (const [index, { variable, hsm }] of hsms.entries())
    if (ids.indexOf(hsm.id) !== index) env.problem(`${variable}.id`, `is the id of another HSM too: ${hsm.id}`);
  return hsms;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // The parser quotes what it does not understand, and that may be a PIN.
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pinOf(env: Variables, variable: string, entry: Readonly<Record<string, unknown>>): string | undefined {
  const { pin, pinFile } = entry;
  if (pin !== undefined && pinFile !== undefined)
    env.problem(`${variable}.pinFile`, 'set either pin or pinFile, not both');
  if (pinFile === undefined) {
    if (pin === undefined || typeof pin === 'string') return pin;
    env.problem(`${variable}.pin`, 'must be text');
    return undefined;
  }
  if (typeof pinFile !== 'string') {
    env.problem(`${variable}.pinFile`, 'must be a path');
    return undefined;
  }
  try {
    return withoutLineEnd(readFileSync(pinFile, 'utf8'));
  } catch {
    env.problem(`${variable}.pinFile`, 'the file cannot be read');
    return undefined;
  }
}

/** Checks one HSM; `undefined` when there is nothing that could be opened. */
function readHsm(env: Variables, input: HsmInput): ConfiguredHsm | undefined {
  const problem = (field: string, reason: string) => env.problem(input.name(field), reason);
  const text = (field: string, { pattern, reason } = ANY_TEXT): string | undefined => {
    const value = input.value(field);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && pattern.test(value)) return value;
    problem(field, reason);
    return undefined;
  };
  const number = (field: keyof typeof HSM_NUMBERS): number | undefined => {
    const value = input.value(field);
    const { min, max } = HSM_NUMBERS[field];
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    problem(field, `must be a whole number from ${min} to ${max}`);
    return undefined;
  };
  const modulePath = text('modulePath', HSM_TEXTS.modulePath);
  if (input.value('modulePath') === undefined) problem('modulePath', 'is needed for an HSM');
  if (input.pin === undefined || input.pin === '') problem('pin', 'is needed for an HSM');
  const hsm = {
    ...slotOf(input, problem),
    ...present('tokenLabel', text('tokenLabel') ?? slotLabel(input)),
    ...present('keyId', text('keyId', HSM_TEXTS.keyId)),
    ...present('label', text('label')),
    ...present('poolSize', number('poolSize')),
    ...present('queueLimit', number('queueLimit')),
    ...present('timeoutMs', number('timeoutMs')),
  } satisfies Partial<HsmConfig>;
  const id = text('id', HSM_TEXTS.id) ?? input.defaultId;
  if (id === 'software') problem('id', 'must not be software, which is the name of the software root');
  if (modulePath === undefined || input.pin === undefined) return undefined;
  return { variable: input.variable, hsm: { ...hsm, modulePath, pin: input.pin, id } };
}

function slotOf(input: HsmInput, problem: (field: string, reason: string) => void): { readonly slot?: number } {
  const slot = input.value('slot');
  if (slot === undefined || (typeof slot === 'string' && slot !== '')) return {};
  if (typeof slot === 'number' && Number.isSafeInteger(slot) && slot >= 0) return { slot };
  problem('slot', 'must be the id of a slot, an index, or the label of a token');
  return {};
}

function slotLabel(input: HsmInput): string | undefined {
  const slot = input.value('slot');
  return typeof slot === 'string' && slot !== '' ? slot : undefined;
}

function present<K extends string, V>(name: K, value: V | undefined): { readonly [name in K]?: V } {
  // An object with this one name, or an empty one.
  return (value === undefined ? {} : { [name]: value }) as { readonly [name in K]?: V };
}
