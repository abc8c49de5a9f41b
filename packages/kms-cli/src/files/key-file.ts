import { createPrivateKey, createPublicKey } from 'node:crypto';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';

/** Where a block of PEM begins, alone on its line: what tools write before it (Bag Attributes) does not matter. */
const BEGIN = /^-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?$/gm;
/** RFC 7468, section 10: PKCS #8. What it says is for the service to judge, octet by octet. */
const PKCS8 = 'PRIVATE KEY';
const SPKI = 'PUBLIC KEY';
const ENCRYPTED = 'ENCRYPTED PRIVATE KEY';

/**
 * The key in a file: the bytes as they are, or the one private key of a PEM file as PKCS #8 in DER. Certificates and
 * the like beside the key are ignored. What is read is overwritten if the result is a copy.
 *
 * @param name the file, for messages
 * @throws CommandError for a file that is empty or holds no key that can be used, or more than one
 */
export function keyIn(file: Uint8Array, name: string): Uint8Array {
  const text = textOf(Buffer.from(file.buffer, file.byteOffset, file.byteLength));
  if (text.trim() === '') throw new CommandError(EXIT.data, `${name} is empty.`);
  const labels = [...text.matchAll(BEGIN)].map(([, label = '']) => label);
  if (labels.length === 0) return file;
  try {
    return privateKeyIn(text, labels, name);
  } finally {
    file.fill(0);
  }
}

/**
 * The public key in a file: the bytes as they are, or the one public key of a PEM file as SubjectPublicKeyInfo in DER.
 *
 * @param name the file, for messages
 * @throws CommandError for a file that is empty, or PEM without one public key that can be read
 */
export function publicKeyIn(file: Uint8Array, name: string): Uint8Array {
  const text = textOf(Buffer.from(file.buffer, file.byteOffset, file.byteLength));
  if (text.trim() === '') throw new CommandError(EXIT.data, `${name} is empty.`);
  const labels = [...text.matchAll(BEGIN)].map(([, label = '']) => label);
  if (labels.length === 0) return file;
  if (labels.length > 1 || labels[0] !== SPKI)
    throw new CommandError(EXIT.data, `${name} should hold one public key, but holds ${labels.join(', ')}.`);
  try {
    return createPublicKey(text).export({ format: 'der', type: 'spki' });
  } catch {
    throw new CommandError(
      EXIT.data,
      `The public key in ${name} cannot be read: write it again with openssl pkey -pubin.`,
    );
  }
}

/** The file if it is text, without the byte order mark of editors and shells on Windows; of PEM all letters are ASCII. */
function textOf(file: Buffer): string {
  const [first, second] = file;
  if (first === 0xff && second === 0xfe) return file.toString('utf16le').slice(1);
  return file.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '');
}

function privateKeyIn(text: string, labels: readonly string[], name: string): Uint8Array {
  const keys = labels.filter((label) => label.endsWith(PKCS8));
  const [label] = keys;
  if (label === undefined)
    throw new CommandError(EXIT.data, `${name} holds no private key, but ${[...new Set(labels)].join(', ')}.`);
  if (keys.length > 1) throw new CommandError(EXIT.data, `${name} holds ${keys.length} private keys: keep only one.`);
  const end = `-----END ${label}-----`;
  const begin = text.indexOf(`-----BEGIN ${label}-----`);
  const after = text.indexOf(end, begin);
  if (after < 0) throw new CommandError(EXIT.data, `${name} is cut off: its private key has no end.`);
  const block = `${text.slice(begin, after + end.length)}\n`;
  if (label === ENCRYPTED || block.includes('Proc-Type: 4,ENCRYPTED'))
    throw new CommandError(
      EXIT.data,
      `The private key in ${name} is encrypted: remove the password with openssl pkcs8 -topk8 -nocrypt.`,
    );
  return label === PKCS8 ? octetsOf(block, name) : convert(block, name);
}

/** The base64 of a block, decoded strictly: a wrong letter must not become another key. */
function octetsOf(block: string, name: string): Uint8Array {
  const [, base64 = ''] = /^-----BEGIN [A-Z0-9 ]+-----([^]*)-----END/.exec(block) ?? [];
  const compact = base64.replaceAll(/\s/g, '');
  const octets = Buffer.from(compact, 'base64');
  if (octets.length > 0 && octets.toString('base64') === compact) return octets;
  throw unreadable(name);
}

/** The forms before PKCS #8, `RSA PRIVATE KEY` and `EC PRIVATE KEY`. */
function convert(block: string, name: string): Uint8Array {
  try {
    return createPrivateKey(block).export({ format: 'der', type: 'pkcs8' });
  } catch {
    // OpenSSL's error says nothing useful to a person.
    throw unreadable(name);
  }
}

function unreadable(name: string): CommandError {
  return new CommandError(EXIT.data, `The private key in ${name} cannot be read: write it again with openssl pkcs8.`);
}
