import { type EncryptAnswer, KmsClientError, type ReencryptInput } from '@qnsp/kms-client';
import { ciphertextHeader } from '@qnsp/kms-client/fields';
import { objectIn } from '../../files/json-lines.ts';

/** A line of a list of ciphertexts: what is to be encrypted again, and everything else in it. */
export interface ListLine {
  readonly members: Readonly<Record<string, unknown>>;
  /** What the service gets; absent where the line says nothing that it could get. */
  readonly input?: Pick<ReencryptInput, 'ciphertext' | 'context' | 'newContext'>;
}

/** Why a ciphertext stays as it was. */
export interface LineError {
  readonly code: string;
  readonly message: string;
}

const NOT_A_LINE: LineError = {
  code: 'INVALID_ARGUMENT',
  message: 'The line is not a JSON object with a ciphertext in base64, and texts in its contexts.',
};

/** Reads a line of the list. */
export function readLine(text: string): ListLine {
  const { error: _earlier, ...members } = objectIn(text) === undefined ? {} : membersOf(text);
  const { ciphertext, context, newContext } = members;
  const bytes = typeof ciphertext === 'string' ? Buffer.from(ciphertext, 'base64') : undefined;
  if (bytes === undefined || bytes.toString('base64') !== ciphertext) return { members };
  if (!isContext(context) || !isContext(newContext)) return { members };
  return { members, input: { ciphertext: bytes, context, newContext } };
}

/** JSON with the text of what is read (ECMAScript 2026), which the types of the compiler do not have yet. */
interface JsonWithSource {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
}
const json: JsonWithSource = JSON as JSON & JsonWithSource;

/** The members of an object, in which numbers are spelt as they were: an id may have more digits than a number has here. */
function membersOf(text: string): Readonly<Record<string, unknown>> {
  const spelt = (_name: string, value: unknown, { source }: { readonly source?: string }) =>
    typeof value === 'number' && source !== undefined ? json.rawJSON(source) : value;
  // The text is known to be an object.
  return json.parse(text, spelt) as Readonly<Record<string, unknown>>;
}

function isContext(value: unknown): value is Readonly<Record<string, string>> | undefined {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === 'string');
}

/** The line with the new ciphertext, and with its new context as its context. */
export function doneLine({ members }: ListLine, { ciphertext, keyId, keyVersion }: EncryptAnswer): string {
  const { newContext, ...others } = members;
  const context = newContext === undefined ? {} : { context: newContext };
  const done = { ...others, ...context, ciphertext: Buffer.from(ciphertext).toString('base64'), keyId, keyVersion };
  return `${JSON.stringify(done)}\n`;
}

/** The line as it was, with the reason for that. */
export function failedLine({ members }: ListLine, error: LineError = NOT_A_LINE): string {
  return `${JSON.stringify({ ...members, error: { code: error.code, message: error.message } })}\n`;
}

/** What a written line says: under which version its ciphertext is, and whether it stayed as it was. */
export interface WrittenLine {
  readonly keyId: string;
  readonly version: string;
  readonly failed: boolean;
}

export function writtenLine(text: string): WrittenLine {
  const members = objectIn(text) ?? {};
  const { ciphertext } = members;
  return { ...versionOf(typeof ciphertext === 'string' ? ciphertext : ''), failed: Object.hasOwn(members, 'error') };
}

function versionOf(ciphertext: string): Pick<WrittenLine, 'keyId' | 'version'> {
  try {
    const { keyId, keyVersion } = ciphertextHeader(Buffer.from(ciphertext, 'base64'));
    return { keyId, version: String(keyVersion) };
  } catch (error) {
    if (error instanceof KmsClientError) return { keyId: 'none', version: 'none' };
    throw error;
  }
}

/** Whether a written line is of a line of the list: whatever encrypting again leaves is the same. */
export function isOf(written: string, listed: string): boolean {
  return restOf(written) === restOf(listed);
}

const CHANGED = ['ciphertext', 'context', 'newContext', 'keyId', 'keyVersion', 'error'];

function restOf(text: string): string {
  const rest = Object.entries(objectIn(text) ?? {}).filter(([name]) => !CHANGED.includes(name));
  return JSON.stringify(rest.sort(([a], [b]) => (a < b ? -1 : 1)));
}
