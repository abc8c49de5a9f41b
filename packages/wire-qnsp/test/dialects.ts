import { type Dialect, parseJsonObject } from '@qnsp/http-edge';
import type { DialectUnderTest } from '@qnsp/http-edge/testing';
import { KmsError, type OperationName } from '@qnsp/kms-core';
import { decrypt, encrypt, random } from '@qnsp/kms-core/internal';
import { qnspDialect } from '../src/index.ts';

const OPERATIONS: Readonly<Record<string, OperationName>> = {
  '/drawer/seal': 'encrypt',
  '/drawer/open': 'decrypt',
  '/drawer/dice': 'getRandom',
};

/** Another interface: other paths, other fields, another place for the credential, another shape of errors. */
export const drawerDialect: Dialect = {
  name: 'drawer',
  source: 'drawer',
  claims: ({ url = '' }) => url.startsWith('/drawer/'),
  targetOf: ({ url = '' }) => {
    const operation = OPERATIONS[url];
    if (operation === undefined) throw new KmsError('NOT_FOUND', 'No such drawer.');
    return { kind: { operation, isOpen: false, bodyBytes: 64 * 1024 } };
  },
  presented: ({ headers }) => {
    const token = headers['x-drawer-token'];
    if (typeof token !== 'string') throw new KmsError('UNAUTHORIZED', 'No x-drawer-token.');
    return { bearer: token };
  },
  perform: async (call, bytes) => {
    const body = parseJsonObject(bytes, call.incoming.headers['content-type']);
    const ofCredential = call.signedIn?.identity.tenantId;
    const owner = call.incoming.headers['x-drawer-owner'] ?? ofCredential;
    if (typeof ofCredential !== 'string' || owner !== ofCredential)
      throw new KmsError('TENANT_MISMATCH', 'The drawer is of somebody else.');
    const op = {
      kms: call.edge.kms,
      caller: call.settle(ofCredential),
      evidence: call.evidence,
    };
    const content = Buffer.from(String(body['content'] ?? ''), 'hex');
    const result = await (async () => {
      if (call.target.kind.operation === 'getRandom') return random(op, { bytes: 6 });
      if (call.target.kind.operation === 'decrypt') return (await decrypt(op, { ciphertext: content })).plaintext;
      return (await encrypt(op, { keyId: String(body['drawer']), plaintext: content })).ciphertext;
    })();
    return {
      status: 200,
      headers: { 'content-type': 'application/json', 'x-request-id': call.requestId },
      body: JSON.stringify({ content: Buffer.from(result).toString('hex') }),
    };
  },
  problem: ({ code, message }, { requestId }) => ({
    status: code === 'INTERNAL_ERROR' ? 500 : 418,
    headers: { 'content-type': 'application/json', 'x-request-id': requestId },
    body: JSON.stringify({ oops: code, say: message }),
  }),
};

export const drawer = {
  dialect: drawerDialect,
  unknownPath: '/drawer/none',
  encryptPath: () => '/drawer/seal',
  encryptBody: (keyId, plaintext) => JSON.stringify({ drawer: keyId, content: plaintext.toString('hex') }),
  credential: (token) => ({ 'x-drawer-token': token }),
  naming: (tenantId) => ({ 'x-drawer-owner': tenantId }),
  codeOf: (_status, body) => (JSON.parse(body) as { oops: string }).oops,
} satisfies DialectUnderTest;

const contractDialect: Dialect = qnspDialect({
  version: '0',
  health: () => Promise.reject(new Error('No test asks for it.')),
  liveness: () => ({
    status: 'ok',
    service: 'kms-service',
    version: '0',
    timestamp: new Date().toISOString(),
    uptime: 0,
    checks: {},
  }),
  metrics: async () => '',
});

export const qnsp = {
  dialect: contractDialect,
  unknownPath: '/kms/v1/none',
  encryptPath: (keyId) => `/kms/v1/keys/${keyId}/encrypt`,
  encryptBody: (_keyId, plaintext) => JSON.stringify({ plaintext: plaintext.toString('base64') }),
  credential: (token) => ({ authorization: `Bearer ${token}` }),
  naming: (tenantId) => ({ 'x-qnsp-tenant': tenantId }),
  codeOf: (_status, body) => (JSON.parse(body) as { code: string }).code,
} satisfies DialectUnderTest;
