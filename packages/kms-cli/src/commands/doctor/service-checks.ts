import type { Health, KmsClient } from '@qnsp/kms-client';
import { KmsClientError } from '@qnsp/kms-client';
import { clientOf } from '../../connection/connect.ts';
import { type Connection, findConnection } from '../../connection/find-connection.ts';
import { CommandError } from '../../terminal/exit-codes.ts';
import { explainError } from '../../terminal/explain-error.ts';
import type { Finding } from './finding.ts';
import { checkTls } from './tls-check.ts';

/** How far a clock may be off before tokens and schedules visibly suffer, in seconds. */
const CLOCK_LIMIT_SECONDS = 5;
const CALL = { attempts: 1, timeoutMs: 5000 };

/** Checks a service from outside: the way to it, its health, its clock and the token. */
export async function checkService(
  environment: Readonly<Record<string, string | undefined>>,
  workingDirectory: string,
  use?: string,
): Promise<readonly Finding[]> {
  let connection: Connection;
  let kms: KmsClient;
  try {
    connection = findConnection(environment, workingDirectory, use);
    kms = clientOf(connection);
  } catch (error) {
    return [wrong('way to the service', error)];
  }
  const way: Finding = {
    check: 'way to the service',
    status: 'ok',
    message: `${connection.baseUrl}, by ${connection.source}`,
  };
  const before = Date.now();
  let health: Health;
  try {
    health = await kms.getHealth({}, CALL);
  } catch (error) {
    const reason = wrong('service', error);
    const isAway = error instanceof KmsClientError && ['UNREACHABLE', 'TIMEOUT'].includes(error.code);
    return [
      way,
      ...(await checkTls(connection)),
      isAway
        ? { ...reason, message: `${connection.baseUrl} does not answer: start the service, or correct KMS_URL` }
        : reason,
    ];
  }
  const tls = await checkTls(connection);
  return [way, ...tls, ...checkHealth(health), checkClock(health, before, Date.now()), await checkToken(kms)];
}

function checkHealth({ status, version, checks }: Health): readonly Finding[] {
  const parts = Object.entries(checks).map(
    ([name, part]): Finding => ({
      check: `service: ${name}`,
      status: part.status === 'ok' ? 'ok' : 'wrong',
      message: part.message ?? part.status,
    }),
  );
  return [
    { check: 'service', status: status === 'ok' ? 'ok' : 'wrong', message: `${status}, version ${version}` },
    ...parts,
  ];
}

function checkClock({ timestamp }: Health, before: number, after: number): Finding {
  const theirs = Date.parse(timestamp);
  const seconds = Math.round(Math.max(before - theirs, theirs - after, 0) / 1000);
  if (seconds <= CLOCK_LIMIT_SECONDS)
    return { check: 'clock', status: 'ok', message: 'agrees with that of the service' };
  return {
    check: 'clock',
    status: 'wrong',
    message: `differs from that of the service by ${seconds} seconds: synchronise both with NTP`,
  };
}

async function checkToken(kms: KmsClient): Promise<Finding> {
  try {
    await kms.listKeys({ limit: 1 }, CALL);
    return { check: 'token', status: 'ok', message: 'is accepted' };
  } catch (error) {
    // It is known, but may only do other things.
    if (error instanceof KmsClientError && error.code === 'FORBIDDEN')
      return { check: 'token', status: 'ok', message: 'is accepted, but may not list keys' };
    return wrong('token', error);
  }
}

function wrong(check: string, error: unknown): Finding {
  const explained = explainError(error);
  if (!(explained instanceof CommandError)) throw error;
  return { check, status: 'wrong', message: explained.message };
}
