import { randomBytes, randomUUID } from 'node:crypto';
import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { type EdgeGateway, startEdgeGateway } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, send, startLocalService } from './local-service.ts';
import { type Conversation, fieldAt, fill, readConversation, type Step, writesOf } from './wire/conversation.ts';
import { type RawAnswer, RawConnection } from './wire/raw-connection.ts';

const FILES = globSync('*.http', { cwd: new URL('./wire/', import.meta.url) }).toSorted();
const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
let local: LocalService;
let edge: EdgeGateway;

beforeAll(async () => {
  local = await startLocalService({ KMS_PLATFORM_TOKEN: PLATFORM });
  edge = await startEdgeGateway({ upstreams: [local.service.port] });
});
afterAll(async () => {
  await edge.server.stop();
  await local.end();
});

interface Route {
  readonly name: string;
  readonly port: () => number;
  /** The request line as this way to the service takes it. */
  readonly line: (line: string) => string;
}

const ROUTES: readonly Route[] = [
  { name: 'straight at the service', port: () => local.service.port, line: (line) => line },
  { name: 'through the gateway', port: () => edge.server.port, line: (line) => line },
  {
    name: 'through the gateway under /proxy',
    port: () => edge.server.port,
    line: (line) => line.replace(' /kms/v1/', ' /proxy/kms/v1/').replace(' /billing/', ' /proxy/billing/'),
  },
  {
    name: 'through the gateway under /proxy/kms',
    port: () => edge.server.port,
    line: (line) => line.replace(/ \/(kms|billing)\//, ' /proxy/kms/$1/'),
  },
];

/** A tenant without keys, and a token of it. */
async function makeTenant(): Promise<{ readonly tenantId: string; readonly token: string }> {
  const platform = (path: string, body: object, headers = {}) =>
    send(`${local.service.baseUrl}${path}`, 'POST', PLATFORM, body, headers);
  const tenantId = String((await platform('/kms/v1/tenants', { name: randomUUID() })).body['tenantId']);
  const token = await platform('/kms/v1/tokens', { name: 'sdk', role: 'tenant_admin' }, { 'x-qnsp-tenant': tenantId });
  return { tenantId, token: String(token.body['token']) };
}

/** Plays one conversation over one connection. */
async function play({ apart, steps }: Conversation, { port, line }: Route): Promise<void> {
  const values: Record<string, string> = {
    host: `127.0.0.1:${port()}`,
    ...(await makeTenant()),
    data: Buffer.from('thirty-two bytes of data to seal').toString('base64'),
    other: Buffer.from('something else').toString('base64'),
  };
  let connection = await RawConnection.open(port());
  try {
    for (const step of steps) {
      const [first = '', ...headers] = step.head;
      const stays = await playStep(connection, { ...step, head: [line(first), ...headers] }, apart, values);
      if (stays) continue;
      connection.close();
      connection = await RawConnection.open(port());
    }
  } finally {
    connection.close();
  }
}

/** Answers whether the connection stays open. */
async function playStep(
  connection: RawConnection,
  step: Step,
  apart: boolean,
  values: Record<string, string>,
): Promise<boolean> {
  const { writes, expectsContinue } = writesOf(step, apart, values);
  let answer: RawAnswer | undefined;
  for (const [index, bytes] of writes.entries()) {
    if (index > 0 && expectsContinue) {
      const first = await connection.read(true);
      // What is refused is refused before the body is sent.
      if (first.status !== 100) {
        answer = first;
        expect(step.status, step.title).toBeGreaterThanOrEqual(400);
        break;
      }
    }
    await connection.write(bytes);
  }
  const { status, headers, text } = answer ?? (await connection.read());
  const json: unknown = JSON.parse(text);
  expect({ status, json }, step.title).toMatchObject({
    status: step.status,
    json: JSON.parse(fill(step.expected, values)),
  });
  expect(headers.get('content-type')).toBe('application/json');
  expect(headers.get('x-request-id')).not.toBeNull();
  for (const [name, path] of step.saves) values[name] = fieldAt(json, path);
  return headers.get('connection') !== 'close';
}

describe.each(FILES)('%s', (file) => {
  const conversation = readConversation(new URL(`./wire/${file}`, import.meta.url));

  test.each(ROUTES)('$name', { timeout: 600_000 }, async (route) => {
    await play(conversation, route);
  });
});

/** What clients send that a strict server would not take; each is in the contract, and must stay in the conversations. */
const ODDITIES: Readonly<Record<string, (step: Step) => boolean>> = {
  'a POST with a JSON content type and no body': (step) =>
    isPost(step) && has(step, /^content-type: application\/json/i) && step.body === '',
  'a POST with neither content type nor length': (step) =>
    isPost(step) && !has(step, /^(?:content-type|content-length|transfer-encoding):/i) && step.body === '',
  'a query whose values are not encoded': (step) =>
    /\?\S*[{|}":/]/.test(requestLine(step).replaceAll(/\{\{\w+\}\}/g, '')),
  'a rotation with its reason': (step) => requestLine(step).includes('/rotate ') && step.body.includes('"reason":'),
  'metadata of more than text': (step) => /"metadata": ?\{.*(?:null|true|\d)/.test(step.body),
  'a list with limit=100': (step) => /^GET \S*\?(?:\S*&)?limit=100[& ]/.test(requestLine(step)),
  'a body in chunks': (step) => has(step, /^transfer-encoding: chunked$/i) && step.body !== '',
  'a body that waits for 100 Continue': (step) => has(step, /^expect: 100-continue$/i),
};

const requestLine = ({ head: [line = ''] }: Step) => line;
const isPost = (step: Step) => requestLine(step).startsWith('POST ');
const has = ({ head }: Step, header: RegExp) => head.some((line) => header.test(line));

describe('some client sends', () => {
  const conversations = FILES.map((file) => readConversation(new URL(`./wire/${file}`, import.meta.url)));

  test.each(Object.entries(ODDITIES))('%s', (_name, isSo) => {
    const sending = conversations.filter(({ steps }) => steps.some(isSo));
    expect(sending.length).toBeGreaterThan(0);
  });

  test('head and body apart', () => {
    expect(conversations.filter(({ apart }) => apart).length).toBeGreaterThan(0);
  });
});

test('there is a conversation of every published client family', () => {
  const families = [
    'typescript-client',
    'typescript-sdk',
    'python-sdk',
    'go-sdk',
    'rust-sdk',
    'command-line',
    'agent-tools',
  ];
  expect(FILES.map((file) => basename(file, '.http'))).toEqual(expect.arrayContaining(families));
});
