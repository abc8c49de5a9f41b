import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { checkpointSigner, emptyChain, exportLines, proveInclusion, sealBatch } from '@qnsp/kms-audit';
import { AUDIT_EVENT_TYPES } from '@qnsp/kms-core/ports';
import { beforeAll, describe, expect, test } from 'vitest';
import { sampleEvent, samplePem, TENANT } from './audit-samples.ts';

// A verifier that shares nothing with the package, made of what docs/audit.md says: it reads the members, their forms and which of them
// are signed from the tables of that page.
const page = readFileSync(new URL('../../../docs/audit.md', import.meta.url), 'utf8');
const section = page.split('## Write a verifier\n')[1]?.split(/^## /m)[0] ?? '';

interface Member {
  readonly name: string;
  readonly condition: string | undefined;
  readonly form: string;
}
type Json = Readonly<Record<string, unknown>>;

/** The table below the sentence that begins with these words. */
function tableOf(words: string): readonly Member[] {
  const table = section.split(`**${words}**`)[1]?.split('\n\n')[1] ?? '';
  const rows = table.split('\n').slice(2);
  return rows.map((row) => {
    const [, name = '', form = ''] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const [, condition, bare = ''] = /^(?:(may|second format): )?(.*)$/.exec(form) ?? [];
    return {
      name: name.replaceAll('`', ''),
      condition,
      form: bare.replaceAll('`', '').replaceAll(String.raw`\|`, '|'),
    };
  });
}

const tables = {
  chained: tableOf('A chained event'),
  event: tableOf('An event'),
  checkpoint: tableOf('A checkpoint'),
  header: tableOf('The signature'),
  proof: tableOf('A proof'),
};

function formProblem(value: unknown, form: string): string | undefined {
  if (form === 'object') return typeof value === 'object' && !Array.isArray(value) ? undefined : 'no object';
  if (form === 'list') return Array.isArray(value) ? undefined : 'no list';
  if (form === 'string') return typeof value === 'string' ? undefined : 'no string';
  return new RegExp(form).test(String(value)) ? undefined : `${JSON.stringify(value)} is not of the form ${form}`;
}

/** Throws when a value has other members than a table names, or one that is not of its form. */
function requireMembers(value: Json, table: readonly Member[]): void {
  for (const name of Object.keys(value))
    if (!table.some((member) => member.name === name)) throw new Error(`${name} is not documented`);
  const isSecond = 'version' in value;
  for (const { name, condition, form } of table) {
    const isNeeded = condition === undefined || (condition === 'second format' && isSecond);
    if (!(name in value)) {
      if (isNeeded) throw new Error(`${name} is missing`);
    } else {
      // An epoch may be null, as the page says below the table.
      const problem = name === 'epoch' && value[name] === null ? undefined : formProblem(value[name], form);
      if (problem !== undefined) throw new Error(`${name}: ${problem}`);
    }
  }
}

/** RFC 8785, for what has no numbers but whole ones. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

const sha3 = (...parts: readonly (string | Uint8Array)[]) => {
  const hash = createHash('sha3-256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const leaf = (hash: string) => sha3(Uint8Array.of(0), Buffer.from(hash, 'hex'));
const node = (left: Buffer, right: Buffer) => sha3(Uint8Array.of(1), left, right);

function treeHash(hashes: readonly string[]): Buffer {
  const [only] = hashes;
  if (only !== undefined && hashes.length === 1) return leaf(only);
  let half = 1;
  while (half * 2 < hashes.length) half *= 2;
  return node(treeHash(hashes.slice(0, half)), treeHash(hashes.slice(half)));
}

function without(value: Json, name: string): Json {
  return Object.fromEntries(Object.entries(value).filter(([member]) => member !== name));
}

const ALG: Readonly<Record<string, string>> = { ed25519: 'Ed25519', ec: 'ES256', 'ml-dsa-65': 'ML-DSA-65' };

function requireSignature(checkpoint: Json, keys: readonly KeyObject[]): void {
  const [header = '', , signature = ''] = String(checkpoint['signature']).split('.');
  const named = JSON.parse(Buffer.from(header, 'base64url').toString()) as Json;
  requireMembers(named, tables.header);
  const idOf = (key: KeyObject) =>
    createHash('sha256')
      .update(key.export({ format: 'der', type: 'spki' }))
      .digest('base64url');
  const key = keys.find((candidate) => idOf(candidate) === named['kid']);
  if (key === undefined || ALG[key.asymmetricKeyType ?? ''] !== named['alg']) throw new Error('another key');
  // All members that the table names, but the signature.
  const signed = Object.fromEntries(
    tables.checkpoint
      .filter(({ name }) => name !== 'signature' && name in checkpoint)
      .map(({ name }) => [name, checkpoint[name]]),
  );
  const input = Buffer.from(`${header}.${Buffer.from(canonical(signed)).toString('base64url')}`);
  const digest = named['alg'] === 'ES256' ? 'sha256' : null;
  if (!verify(digest, input, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')))
    throw new Error('the signature is not valid');
}

/** Throws at the first thing that is wrong with an export of one epoch; answers how many events there are. */
function verifyByThePage(bytes: Buffer, publicKeysPem: readonly string[]): number {
  const text = bytes.toString('utf8');
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const keys = publicKeysPem.map((pem) => createPublicKey(pem));
  let [previousHash, sequence, sealed] = ['0'.repeat(64), 0, 0];
  let previousCheckpoint: string | null = null;
  let hashes: string[] = [];
  for (const line of text.slice(0, -1).split('\n')) {
    const value = JSON.parse(line) as Json;
    if (canonical(value) !== line) throw new Error('a line is not canonical');
    if ('event' in value) {
      const chained = value['event'] as Json;
      requireMembers(chained, tables.chained);
      requireMembers(chained['event'] as Json, tables.event);
      if (chained['sequence'] !== sequence + 1 || chained['previousHash'] !== previousHash) throw new Error('no chain');
      const hash = sha3(canonical(without(chained, 'hash'))).toString('hex');
      if (chained['hash'] !== hash) throw new Error('another hash');
      [previousHash, sequence] = [hash, sequence + 1];
      hashes.push(hash);
    } else {
      const checkpoint = value['checkpoint'] as Json;
      requireMembers(checkpoint, tables.checkpoint);
      requireSignature(checkpoint, keys);
      if (checkpoint['previousCheckpoint'] !== previousCheckpoint) throw new Error('no chain of checkpoints');
      if (checkpoint['firstSequence'] !== sealed + 1 || checkpoint['lastSequence'] !== sequence) throw new Error('gap');
      if (checkpoint['merkleRoot'] !== treeHash(hashes).toString('hex')) throw new Error('another root');
      previousCheckpoint = sha3(canonical(without(checkpoint, 'signature'))).toString('hex');
      [sealed, hashes] = [sequence, []];
    }
  }
  if (hashes.length > 0) throw new Error('events without a checkpoint');
  return sequence;
}

const fixture = (name: string) => readFileSync(new URL(`./fixtures/first-format-${name}`, import.meta.url));

describe('a verifier made of the page', () => {
  const signer = checkpointSigner(samplePem());
  let text: string;
  let proof: Json;

  beforeAll(async () => {
    let head = emptyChain(TENANT);
    text = '';
    for (const size of [1, 2, 3, 7]) {
      // Every type of event, with everything that can be absent, and what is hard for lines.
      const events = Array.from({ length: size }, (_, index) =>
        sampleEvent({
          eventType: AUDIT_EVENT_TYPES[(head.sequence + index) % AUDIT_EVENT_TYPES.length] ?? 'kms.encrypt',
          ...(index === 0 ? { errorCode: 'FORBIDDEN', result: 'denied' } : {}),
          request: { contextKeys: ['line\u2028end'] },
          changes: {
            before: null,
            after: { name: 'x\u0085', revision: 2, metadataKeys: ['b', 'a'], policySha256: null },
          },
        }),
      );
      const epoch = { since: '2026-03-01T10:00:00.001Z', dataAsOf: '2026-03-01T09:00:00.000Z' };
      const batch = await sealBatch(signer, head, events, new Date('2026-03-01T10:00:01Z'), size > 2 ? epoch : null);
      text += exportLines(batch.events, batch.checkpoint);
      ({ head } = batch);
      const proven = proveInclusion(batch.events, batch.checkpoint, batch.events.at(-1)?.event.eventId ?? '');
      if (proven === undefined) throw new Error('the batch holds it');
      proof = JSON.parse(JSON.stringify(proven)) as Json;
    }
  });

  test('reads what the tables say', () => {
    expect(tables.checkpoint.length).toBe(14);
    expect(tables.event.length).toBe(15);
    for (const table of Object.values(tables))
      expect(table.every(({ name, form }) => name !== '' && form.length >= 0)).toBe(true);
    expect(tables.header.map(({ name }) => name)).toEqual(['alg', 'kid', 'typ']);
  });

  test('verifies an export, and evidence of the first format', () => {
    expect(verifyByThePage(Buffer.from(text), [signer.publicKeyPem])).toBe(13);
    const keys = [0, 1, 2].map((key) => fixture(`key-${key}.pem`).toString());
    expect(verifyByThePage(fixture('export.txt'), keys)).toBe(22);
  });

  test('finds what was changed anywhere in it', () => {
    const bytes = Buffer.from(text);
    for (let place = 0; place < bytes.length; place += 101) {
      const changed = Buffer.from(bytes);
      changed[place] = (changed[place] ?? 0) ^ 1;
      expect(() => verifyByThePage(changed, [signer.publicKeyPem]), `byte ${place}`).toThrow();
    }
    const lines = text.split('\n');
    for (const index of lines.keys())
      if (index < lines.length - 1)
        expect(() =>
          verifyByThePage(Buffer.from(lines.toSpliced(index, 1).join('\n')), [signer.publicKeyPem]),
        ).toThrow();
  });

  test('verifies a proof', () => {
    requireMembers(proof, tables.proof);
    const [event, checkpoint] = [proof['event'] as Json, proof['checkpoint'] as Json];
    requireMembers(event, tables.chained);
    requireMembers(checkpoint, tables.checkpoint);
    requireSignature(checkpoint, [createPublicKey(signer.publicKeyPem)]);
    expect(event['sequence']).toBe(Number(checkpoint['firstSequence']) + Number(proof['leafIndex']));
    // RFC 9162, section 2.1.3.2.
    let [place, last] = [Number(proof['leafIndex']), Number(checkpoint['eventCount']) - 1];
    let reached = leaf(String(event['hash']));
    for (const sibling of (proof['path'] as string[]).map((hash) => Buffer.from(hash, 'hex'))) {
      if (place % 2 === 1 || place === last) {
        reached = node(sibling, reached);
        while (place % 2 === 0 && place > 0) [place, last] = [place >> 1, last >> 1];
      } else reached = node(reached, sibling);
      [place, last] = [place >> 1, last >> 1];
    }
    expect(reached.toString('hex')).toBe(checkpoint['merkleRoot']);
  });
});
