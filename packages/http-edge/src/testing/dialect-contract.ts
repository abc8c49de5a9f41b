import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type KmsErrorCode, KmsError, OPERATIONS } from '@qnsp/kms-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Dialect } from '../dialect.ts';
import type { Dialects } from '../dialects.ts';
import { failureOf } from '../failure.ts';
import { type HttpServer, makeHttpServer } from '../http-server.ts';
import type { TlsSettings } from '../tls-settings.ts';
import { edgeUnderTest } from './edge-under-test.ts';
import { RawConnection } from './raw-call.ts';

/** Every code, as the compiler knows them. */
const CODES: Readonly<Record<KmsErrorCode, true>> = {
  BAD_REQUEST: true,
  UNAUTHORIZED: true,
  FORBIDDEN: true,
  TENANT_MISMATCH: true,
  QUOTA_EXCEEDED: true,
  NOT_FOUND: true,
  METHOD_NOT_ALLOWED: true,
  CONFLICT: true,
  KEY_STATE_INVALID: true,
  IDEMPOTENCY_MISMATCH: true,
  PAYLOAD_TOO_LARGE: true,
  UNSUPPORTED_MEDIA_TYPE: true,
  HEADERS_TOO_LARGE: true,
  DECRYPT_FAILED: true,
  KEY_USAGE_EXCEEDED: true,
  TOO_MANY_REQUESTS: true,
  INTERNAL_ERROR: true,
  HSM_UNAVAILABLE: true,
  STORE_UNAVAILABLE: true,
  AUDIT_UNAVAILABLE: true,
  SEALED: true,
};

const LIMITS = {
  requestTimeoutMs: 10_000,
  headersTimeoutMs: 5000,
  maxConnections: 100,
  maxAnswerBytes: 64 * 1024 * 1024,
  drainDelayMs: 0,
  shutdownTimeoutMs: 5000,
};

/** A call that takes so long is still in progress when a draining server closes what is out of use. */
const OUTLASTING_MS = 800;

/** How a dialect says what every dialect has to be able to say. */
export interface DialectUnderTest {
  readonly dialect: Dialect;
  /** All dialects of the port; the one that is tried alone where they are not given. */
  readonly dialects?: Dialects;
  /** How the port speaks TLS, by an authority that the tests trust; in the clear without it. */
  readonly tls?: TlsSettings;
  /** A path of the dialect under which there is nothing. */
  readonly unknownPath: string;
  /** The path at which an encryption with a key is asked for by POST. */
  encryptPath(keyId: string): string;
  encryptBody(keyId: string, plaintext: Buffer): string;
  credential(token: string): Readonly<Record<string, string>>;
  /** How a call names a tenant that may be another than that of its credential. */
  naming(tenantId: string): Readonly<Record<string, string>>;
  /** The code of the KMS that an answer stands for. */
  codeOf(status: number, body: string): string;
}

/** What every dialect over the edge must do. */
export function dialectContract(name: string, subject: DialectUnderTest): void {
  const scheme = subject.tls === undefined ? 'http' : 'https';
  describe(`the dialect ${name}`, () => {
    let under: Awaited<ReturnType<typeof edgeUnderTest>>;
    let http: HttpServer;
    let port: number;
    const listen = async () => {
      const made = makeHttpServer(under.edge, subject.dialects ?? [subject.dialect], { ...LIMITS, tls: subject.tls });
      made.server.listen(0, '127.0.0.1');
      await once(made.server, 'listening');
      return { http: made, port: (made.server.address() as AddressInfo).port };
    };
    beforeAll(async () => {
      under = await edgeUnderTest();
      ({ http, port } = await listen());
    });
    afterAll(() => http.stop());

    const send = async (path: string, headers: Readonly<Record<string, string>>, body: string) => {
      const response = await fetch(`${scheme}://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-request-id': 'asked-1', ...headers },
        body,
      });
      expect(response.headers.get('x-request-id')).toBe('asked-1');
      const text = await response.text();
      return { status: response.status, text, code: response.ok ? undefined : subject.codeOf(response.status, text) };
    };
    const secret = Buffer.from('attack at dawn, and nobody may read this');
    const encrypt = (headers: Readonly<Record<string, string>>) =>
      send(subject.encryptPath(under.keyId), headers, subject.encryptBody(under.keyId, secret));

    const encryption = (token: string) => ({
      path: subject.encryptPath(under.keyId),
      headers: subject.credential(token),
      body: subject.encryptBody(under.keyId, secret),
    });
    /** What the next calls leave behind. */
    const forgetTraces = () => {
      const { events, lines, observed } = under;
      for (const list of [events, lines, observed]) list.length = 0;
      return { events, lines, observed };
    };

    test('does a call, with one event, one line and one mark, and tells the log no secret', async () => {
      const { token } = under;
      const { events, lines, observed } = forgetTraces();
      expect((await encrypt(subject.credential(token))).status).toBe(200);
      expect(events).toEqual([
        expect.objectContaining({ eventType: OPERATIONS.encrypt.event, result: 'success', action: 'encrypt' }),
      ]);
      expect(observed).toEqual([{ wire: subject.dialect.name, operation: 'encrypt', status: 200 }]);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(`"wire":"${subject.dialect.name}"`);
      for (const text of [token, secret.toString(), secret.toString('base64')])
        expect(lines.join()).not.toContain(text);
    });

    /** A call that comes to nothing, and what its event says of it. */
    interface Unsuccessful {
      readonly code: KmsErrorCode;
      readonly result: 'denied' | 'failure';
      call(): Promise<{
        readonly path: string;
        readonly headers: Readonly<Record<string, string>>;
        readonly body: string;
      }>;
    }
    const UNSUCCESSFUL: Readonly<Record<string, Unsuccessful>> = {
      'that its credential does not permit': {
        code: 'FORBIDDEN',
        result: 'denied',
        call: async () => encryption((await under.issue('auditor')).token),
      },
      'with bad input': {
        code: 'BAD_REQUEST',
        result: 'failure',
        call: async () => ({ ...encryption(under.token), body: '{"attack' }),
      },
      'with a key that there is not': {
        code: 'NOT_FOUND',
        result: 'failure',
        call: async () => {
          const keyId = randomUUID();
          return {
            ...encryption(under.token),
            path: subject.encryptPath(keyId),
            body: subject.encryptBody(keyId, secret),
          };
        },
      },
      'with a credential that is known but ended': {
        code: 'UNAUTHORIZED',
        result: 'denied',
        call: async () => {
          const { token, revoke } = await under.issue('tenant_admin');
          await revoke();
          return encryption(token);
        },
      },
    };
    test.each(Object.entries(UNSUCCESSFUL))(
      'leaves one event, one line and one mark of a call %s',
      async (_name, { code, result, call }) => {
        const { path, headers, body } = await call();
        const { events, lines, observed } = forgetTraces();
        const answer = await send(path, headers, body);
        expect(answer.code).toBe(code);
        expect(events).toEqual([expect.objectContaining({ action: 'encrypt', result })]);
        expect(lines).toHaveLength(1);
        expect(lines[0]).toContain(`"wire":"${subject.dialect.name}"`);
        expect(lines[0]).not.toContain(secret.toString());
        expect(observed).toEqual([{ wire: subject.dialect.name, operation: 'encrypt', status: answer.status }]);
      },
    );

    test('refuses malformed percent-encoding in a path, with one line', async () => {
      const paths = [
        ...['%', '%zz', '%c3', '%c3%28'].map((malformed) => subject.encryptPath(malformed)),
        ...['%', '%zz', '%c3%28'].flatMap((malformed) => [
          `${subject.unknownPath}${malformed}`,
          `${subject.encryptPath(under.keyId)}${malformed}`,
        ]),
        // A dialect may name the key in the body only.
      ].filter((path) => path.includes('%'));
      for (const path of paths) {
        const { lines } = forgetTraces();
        const answer = await send(path, subject.credential(under.token), subject.encryptBody(under.keyId, secret));
        expect(answer.status, path).toBeGreaterThanOrEqual(400);
        expect(answer.status, path).toBeLessThan(500);
        expect(['BAD_REQUEST', 'NOT_FOUND'], path).toContain(answer.code);
        expect(lines, path).toHaveLength(1);
      }
    });

    test('has nothing at an unknown path', async () => {
      expect(await send(subject.unknownPath, subject.credential(under.token), '{}')).toMatchObject({
        code: 'NOT_FOUND',
      });
    });

    test('refuses a body that is no JSON', async () => {
      const sent = send(subject.encryptPath(under.keyId), subject.credential(under.token), '{"attack');
      expect(await sent).toMatchObject({ code: 'BAD_REQUEST' });
    });

    test('refuses calls without a credential, and with one that was never given or has expired', async () => {
      const made = `qnsp_pqc_${'A'.repeat(43)}`;
      for (const headers of [{}, subject.credential(made), subject.credential(under.expiredToken)])
        expect(await encrypt(headers)).toMatchObject({ code: 'UNAUTHORIZED' });
      for (const token of [made, under.expiredToken]) expect(under.lines.join()).not.toContain(token);
    });

    test('refuses a credential of another tenant than the call names', async () => {
      const headers = { ...subject.credential(under.token), ...subject.naming(under.otherTenantId) };
      expect(await encrypt(headers)).toMatchObject({ code: 'TENANT_MISMATCH' });
    });

    test('refuses a body that is larger than it may be', async () => {
      const body = Buffer.alloc(9 * 1024 * 1024, 0x20).toString();
      const sent = send(subject.encryptPath(under.keyId), subject.credential(under.token), body);
      expect(await sent).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    });

    test.each(['content-length', 'chunked'] as const)(
      'takes a body that comes long after its head (%s), unless the credential ended meanwhile',
      async (framing) => {
        for (const ends of [false, true]) {
          const { token, revoke } = await under.issue('tenant_admin');
          const connection = new RawConnection(port, scheme);
          const { events, observed } = forgetTraces();
          const finish = await connection.begin({ ...encryption(token), framing });
          if (ends) await revoke();
          const answer = await finish();
          connection.close();
          const [head = '', body = ''] = answer.split('\r\n\r\n');
          const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
          if (ends) expect(subject.codeOf(status, body)).toBe('UNAUTHORIZED');
          else expect(status).toBe(200);
          expect(events.map(({ result }) => result === 'success')).toEqual([!ends]);
          expect(observed).toEqual([{ wire: subject.dialect.name, operation: 'encrypt', status }]);
        }
      },
    );

    test('has an answer for every error, which says nothing of an internal one', () => {
      for (const code of Object.keys(CODES) as KmsErrorCode[]) {
        const error = new KmsError(code, 'a message', { retryAfterSeconds: 1 });
        const { status, headers, body } = subject.dialect.problem(failureOf(error), { requestId: 'asked-1' });
        expect(status, code).toBeGreaterThanOrEqual(400);
        expect(headers['x-request-id']).toBe('asked-1');
        expect(subject.codeOf(status, body)).toBe(code);
        if (code === 'INTERNAL_ERROR') expect(body).not.toContain('a message');
      }
    });

    test('says with an answer that its connection ends while it drains', async () => {
      const draining = await listen();
      const connection = new RawConnection(draining.port, scheme);
      expect(await connection.ask(encryption(under.token))).not.toMatch(/connection: close/i);
      const stopped = draining.http.stop();
      await vi.waitFor(() => expect(draining.http.server.listening).toBe(false));
      const last = await connection.ask(encryption(under.token));
      expect(last).toMatch(/^HTTP\/1\.1 200 /);
      expect(last).toMatch(/connection: close/i);
      await stopped;
      await expect(fetch(`${scheme}://127.0.0.1:${draining.port}${subject.unknownPath}`)).rejects.toThrow(
        'fetch failed',
      );
    });

    test('answers a call that is in progress when draining begins, and closes its connection', async () => {
      const draining = await listen();
      const connection = new RawConnection(draining.port, scheme);
      const finish = await connection.begin(encryption(under.token));
      const stopped = draining.http.stop();
      await vi.waitFor(() => expect(draining.http.server.listening).toBe(false));
      await expect(fetch(`${scheme}://127.0.0.1:${draining.port}${subject.unknownPath}`)).rejects.toThrow(
        'fetch failed',
      );
      // Connections out of use are closed by then, and this one is not.
      await new Promise((resolve) => setTimeout(resolve, OUTLASTING_MS));
      expect(await finish()).toMatch(/^HTTP\/1\.1 200 /);
      const answeredAt = performance.now();
      await connection.closed;
      // By the answer, not by what cuts what is left.
      expect(performance.now() - answeredAt).toBeLessThan(LIMITS.shutdownTimeoutMs / 2);
      await stopped;
    });
  });
}
