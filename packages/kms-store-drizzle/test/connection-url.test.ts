import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KmsError } from '@qnsp/kms-core';
import { openPostgresStore, parseConnectionUrl } from '@qnsp/kms-store-drizzle';
import { findPostgresBinaries, freePort, type PostgresServer, startPostgres } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Connection } from '../src/postgres/connection.ts';
import { wayTo } from '../src/postgres/way-to-server.ts';
import { rawSql } from './raw-sql.ts';

const run = promisify(execFile);
const ODD_DATABASE = 'odd name/50% "quoted"?';
const ODD_PASSWORD = 'p@ss:w/rd %?#&=';
const WHERE = `select concat_ws('|', current_database(), current_user, pg_is_in_recovery(),
  current_setting('transaction_read_only'), coalesce(host(inet_server_addr()), 'socket'), current_setting('port'),
  current_setting('search_path')) as place`;
const hasIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

let primary: PostgresServer;
let standby: PostgresServer;
let closedPort: number;

beforeAll(async () => {
  const settings = { listen_addresses: hasIpv6 ? '127.0.0.1,::1' : '127.0.0.1' };
  primary = await startPostgres({ settings });
  const sql = rawSql(primary.url);
  await sql.unsafe(`create database "${ODD_DATABASE.replaceAll('"', '""')}"`);
  await sql.unsafe(`create role "odd user" login superuser password '${ODD_PASSWORD}'`);
  await sql.end();
  standby = await startPostgres();
  // A standby of nobody: it only reads, and waits for a primary that does not come.
  writeFileSync(join(standby.dataDir, 'standby.signal'), '');
  await standby.restart();
  closedPort = await freePort();
});
afterAll(async () => {
  await Promise.all([primary.stop(), standby.stop()]);
});

/** The program of libpq itself: where it ends up, or `refused`. */
async function byLibpq(url: string): Promise<string> {
  const psql = join(findPostgresBinaries() ?? '', 'psql');
  const env = { PATH: process.env['PATH'], USER: 'postgres', PGCONNECT_TIMEOUT: '5' };
  return run(psql, ['--no-psqlrc', '-At', '-c', WHERE, url], { env }).then(
    ({ stdout }) => stdout.trim(),
    () => 'refused',
  );
}

async function byStore(url: string): Promise<string> {
  let connection: Connection;
  try {
    connection = new Connection({
      ...wayTo(url, { ssl: 'disable' }),
      name: 'qnsp-kms',
      pooled: false,
      serverTimeoutMs: 0,
    });
  } catch (error) {
    if (KmsError.is(error) && error.code === 'BAD_REQUEST') return 'refused';
    throw error;
  }
  try {
    return (await connection.simple(WHERE))[0]?.['place'] ?? '';
  } catch (error) {
    if (KmsError.is(error) && error.code === 'STORE_UNAVAILABLE') return 'refused';
    throw error;
  } finally {
    await connection.end();
  }
}

describe('a database URL', () => {
  const database = encodeURIComponent(ODD_DATABASE);
  const login = () => `odd%20user:${encodeURIComponent(ODD_PASSWORD)}`;
  const socket = () => encodeURIComponent(primary.socketDir);
  const [p, s, closed] = [() => primary.port, () => standby.port, () => closedPort];
  const both = () => `postgresql://postgres@127.0.0.1:${s()},127.0.0.1:${p()}/postgres`;

  const CASES: readonly (readonly [name: string, url: () => string, outcome: 'connects' | 'refused'])[] = [
    ['plain', () => `postgresql://postgres@127.0.0.1:${p()}/postgres`, 'connects'],
    ['the short scheme', () => `postgres://postgres@127.0.0.1:${p()}/postgres`, 'connects'],
    ['another scheme', () => `http://postgres@127.0.0.1:${p()}/postgres`, 'refused'],
    ['a name', () => `postgresql://postgres@localhost:${p()}/postgres`, 'connects'],
    ['an IPv6 address', () => `postgresql://postgres@[::1]:${p()}/postgres`, hasIpv6 ? 'connects' : 'refused'],
    ['brackets that stay open', () => `postgresql://postgres@[::1:${p()}/postgres`, 'refused'],
    ['empty brackets', () => `postgresql://postgres@[]:${p()}/postgres`, 'refused'],
    ['a socket as host', () => `postgresql://postgres@${socket()}:${p()}/postgres`, 'connects'],
    [
      'a socket as parameter',
      () => `postgresql:///postgres?host=${primary.socketDir}&port=${p()}&user=postgres`,
      'connects',
    ],
    ['a socket, the rest before', () => `postgresql://postgres@:${p()}/postgres?host=${primary.socketDir}`, 'connects'],
    ['a space and more in the database', () => `postgresql://postgres@127.0.0.1:${p()}/${database}`, 'connects'],
    ['a database as parameter', () => `postgresql://postgres@127.0.0.1:${p()}?dbname=${database}`, 'connects'],
    ['a database that is not there', () => `postgresql://postgres@127.0.0.1:${p()}/nowhere`, 'refused'],
    ['a user and a password with every sign', () => `postgresql://${login()}@127.0.0.1:${p()}/postgres`, 'connects'],
    ['a user as parameter', () => `postgresql://127.0.0.1:${p()}/postgres?user=odd%20user&password=x`, 'connects'],
    ['a stray % in the password', () => `postgresql://postgres:50%@127.0.0.1:${p()}/postgres`, 'refused'],
    ['a stray % in the database', () => `postgresql://postgres@127.0.0.1:${p()}/50%zz`, 'refused'],
    ['an encoded zero byte', () => `postgresql://postgres@127.0.0.1:${p()}/a%00b`, 'refused'],
    ['a port that is none', () => 'postgresql://postgres@127.0.0.1:abc/postgres', 'refused'],
    ['a port out of range', () => 'postgresql://postgres@127.0.0.1:65536/postgres', 'refused'],
    [
      'session options',
      () => `postgresql://postgres@127.0.0.1:${p()}/postgres?options=-c%20search_path%3Dkms`,
      'connects',
    ],
    ['an unknown parameter', () => `postgresql://postgres@127.0.0.1:${p()}/postgres?colour=blue`, 'refused'],
    ['a parameter without a value', () => `postgresql://postgres@127.0.0.1:${p()}/postgres?options`, 'refused'],
    [
      'an address beside a name',
      () => `postgresql://postgres@nowhere.invalid:${p()}/postgres?hostaddr=127.0.0.1`,
      'connects',
    ],
    [
      'two hosts, the first closed',
      () => `postgresql://postgres@127.0.0.1:${closed()},127.0.0.1:${p()}/postgres`,
      'connects',
    ],
    ['two hosts with one port', () => `postgresql://postgres@127.0.0.1,localhost/postgres?port=${p()}`, 'connects'],
    ['two hosts with three ports', () => `postgresql://postgres@127.0.0.1,localhost/postgres?port=1,2,3`, 'refused'],
    [
      'two hosts, none open',
      () => `postgresql://postgres@127.0.0.1:${closed()},127.0.0.1:${closed()}/postgres`,
      'refused',
    ],
    ['any of two', () => `${both()}?target_session_attrs=any`, 'connects'],
    ['read-write of two', () => `${both()}?target_session_attrs=read-write`, 'connects'],
    ['read-only of two', () => `${both()}?target_session_attrs=read-only`, 'connects'],
    ['the primary of two', () => `${both()}?target_session_attrs=primary`, 'connects'],
    ['a standby of two', () => `${both()}?target_session_attrs=standby`, 'connects'],
    ['preferably a standby', () => `${both()}?target_session_attrs=prefer-standby`, 'connects'],
    [
      'preferably a standby where there is none',
      () => `postgresql://postgres@127.0.0.1:${closed()},127.0.0.1:${p()}/postgres?target_session_attrs=prefer-standby`,
      'connects',
    ],
    [
      'a primary where there is none',
      () => `postgresql://postgres@127.0.0.1:${s()}/postgres?target_session_attrs=primary`,
      'refused',
    ],
    [
      'a standby where there is none',
      () => `postgresql://postgres@127.0.0.1:${p()}/postgres?target_session_attrs=standby`,
      'refused',
    ],
    ['attributes that are none', () => `${both()}?target_session_attrs=blue`, 'refused'],
  ];

  it.each(CASES)('leads where libpq goes: %s', async (_name, url, outcome) => {
    const [libpq, store] = await Promise.all([byLibpq(url()), byStore(url())]);
    expect(store).toBe(libpq);
    expect(store === 'refused' ? 'refused' : 'connects').toBe(outcome);
  });

  it('goes on where the primary is, when that has moved', async () => {
    const url = `${both()}?target_session_attrs=primary`;
    const { connect } = wayTo(url, { ssl: 'disable' });
    const portNow = async () => {
      const reached = await connect(5000, new AbortController().signal);
      const { remotePort } = reached;
      const ended = new Promise((resolve) => reached.once('close', resolve));
      reached.destroy();
      await ended;
      return remotePort;
    };
    expect(await portNow()).toBe(primary.port);
    const sql = rawSql(standby.url);
    await sql`select pg_promote()`;
    await sql.end();
    // The first that fits, and what was the standby stands first.
    expect(await portNow()).toBe(standby.port);
  });

  it.each([
    ['postgresql://kms:50%secret@db/kms', /password.*%25/],
    ['postgresql://kms:secret@db/kms?sslmode=require', /setting for TLS/],
    ['postgresql://kms:secret@db/kms?colour=secret', /"colour", which is not supported/],
    ['postgresql://kms:secret@db/kms?channel_binding=require', /"channel_binding"/],
    ['postgresql://kms:secret@db:0/kms', /ports from 1 to 65535/],
    ['mysql://kms:secret@db/kms', /must begin with postgresql:\/\//],
  ])('says what is wrong with it and shows nothing of the password: %s', (url, reason) => {
    let message = '';
    try {
      parseConnectionUrl(url);
    } catch (error) {
      if (!KmsError.is(error)) throw error;
      ({ message } = error);
      expect(error.code).toBe('BAD_REQUEST');
    }
    expect(message).toMatch(reason);
    expect(message).not.toContain('secret');
  });

  it('opens a store past a closed host and by the name of an odd database', async () => {
    const url = `postgresql://postgres@127.0.0.1:${closedPort},127.0.0.1:${primary.port}/${database}`;
    const { store, close } = await openPostgresStore({ url, ssl: 'disable', migrate: 'auto' });
    await store.ping();
    await close();
  });
});
