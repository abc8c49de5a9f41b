import { inspect } from 'node:util';
import { KmsError } from '@qnsp/kms-core';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { DrizzleQueryError } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import { describe, expect, it } from 'vitest';
import { namesIn } from '../src/driver/names.ts';
import { Session } from '../src/driver/session.ts';
import { isConnectionLost, toStoreError } from '../src/driver/store-errors.ts';

function fault(code: string, more: object = {}): Error {
  return Object.assign(new Error(`fault ${code}`), { code, ...more });
}

describe('a session', () => {
  it('asks nothing more of a connection that was lost', async () => {
    const session = new Session(namesIn(), { kind: 'system' }, new Date(), drizzle.mock());
    const lost = session.run(() => Promise.reject(fault('ECONNRESET')));
    await expect(lost).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    let asked = false;
    const next = session.run(async () => {
      asked = true;
    });
    await expect(next).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(asked).toBe(false);
  });
});

describe('errors of the database', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
    'EPIPE',
    'ENOTFOUND',
    'EAI_AGAIN',
    'ENOENT',
    'CONNECT_TIMEOUT',
    'CONNECTION_CLOSED',
    'CONNECTION_DESTROYED',
    'CONNECTION_ENDED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    '08006',
    '57P01',
    '57P02',
    '57P03',
    '25P03',
    '25006',
  ])('%s is a lost connection and an unavailable store', (code) => {
    const error = toStoreError(new DrizzleQueryError('select 1', [], fault(code)));
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 });
    expect(isConnectionLost(error)).toBe(true);
  });

  it.each(['53100', '53200', '53300', '28P01', '3D000', '40001', '40P01', '55P03', '57014', '58030'])(
    '%s is an unavailable store on a connection that lives',
    (code) => {
      const error = toStoreError(new DrizzleQueryError('select 1', [], fault(code)));
      expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 });
      expect(isConnectionLost(error)).toBe(false);
    },
  );

  it.each(['23502', '23503', '23514', '42501', '42P01', '22021', 'P0001', 'XX000', 'ERR_INVALID_ARG_TYPE', ''])(
    'any other (%s) is an internal error with its cause',
    (code) => {
      const error = toStoreError(new DrizzleQueryError('select 1', [], fault(code)));
      expect(error).toMatchObject({ code: 'INTERNAL_ERROR', cause: { code, message: `fault ${code}` } });
      expect(isConnectionLost(error)).toBe(false);
    },
  );

  it('a unique violation is a conflict where a caller can cause it', () => {
    expect(toStoreError(fault('23505', { constraint_name: 'roots_pkey' }))).toMatchObject({ code: 'CONFLICT' });
    expect(toStoreError(fault('23505', { constraint: 'tenant_master_key_wraps_pkey' }))).toMatchObject({
      code: 'CONFLICT',
    });
    expect(toStoreError(fault('23505', { constraint: 'key_versions_one_active' }))).toMatchObject({
      code: 'INTERNAL_ERROR',
    });
  });

  it('an error of the KMS is passed on', () => {
    const error = new KmsError('FORBIDDEN', 'no');
    expect(toStoreError(error)).toBe(error);
    expect(toStoreError('thrown text')).toMatchObject({ code: 'INTERNAL_ERROR', cause: { message: 'thrown text' } });
  });

  it('nothing of a statement, its parameters or the rows gets into the error', () => {
    const row = {
      detail: 'Failing row contains (secret-row)',
      parameters: ['secret-parameter'],
      query: 'select secret-text',
    };
    const error = toStoreError(new DrizzleQueryError('select secret-text', ['secret-parameter'], fault('23514', row)));
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret');
  });

  it('an address that nobody can connect to is an unavailable store', async () => {
    for (const url of ['postgresql://kms@127.0.0.1:1/kms', 'postgresql://kms@host.invalid/kms']) {
      await expect(openPostgresStore({ url, ssl: 'disable', migrate: 'auto' })).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
      });
    }
    const several = openPostgresStore({
      url: 'postgresql://kms@a.invalid,b.invalid/kms',
      ssl: 'disable',
      migrate: 'auto',
    });
    await expect(several).rejects.toThrow(/no server matches: a\.invalid:5432: .*; b\.invalid:5432: /);
    const tls = openPostgresStore({ url: 'postgresql://kms@a/kms?sslmode=require', ssl: 'disable', migrate: 'auto' });
    await expect(tls).rejects.toThrow('Use the setting for TLS instead');
  });
});
