import { isUuid, type KeyId } from '@qnsp/kms-core';
import { awsError } from '../errors/aws-error.ts';

/** Where the keys of a tenant are, as names of AWS say it. */
export interface Place {
  readonly region: string;
  /** 12 decimal digits. */
  readonly account: string;
}

/** The name of a key. */
export function keyArn({ region, account }: Place, keyId: KeyId): string {
  return `arn:aws:kms:${region}:${account}:key/${keyId}`;
}

/** The name of who calls. */
export function userArn({ account }: Place, subject: string): string {
  return `arn:aws:iam::${account}:user/${subject}`;
}

const ARN = /^arn:([^:]*):([^:]*):([^:]*):([^:]*):(key|alias)\/(.+)$/s;
const ALIAS = 'alias/';

/**
 * The key that a request names, by its id or its ARN.
 *
 * @param takesAliases whether the operation takes the name of an alias
 * @throws KmsError `NOT_FOUND` for what names no key that there could be; `BAD_REQUEST` for an ARN of something else
 */
export function keyIdIn(given: string, place: Place, takesAliases: boolean): KeyId {
  if (!given.startsWith('arn:')) {
    if (isUuid(given)) return given.toLowerCase();
    if (given.startsWith(ALIAS) && takesAliases) throw noAlias(given, place);
    throw notFound(`Invalid keyId '${given}'`);
  }
  const [, partition, service, region = '', account, kind, name = ''] = ARN.exec(given) ?? [];
  if (partition !== 'aws' || service !== 'kms')
    throw awsError('BAD_REQUEST', 'InvalidArnException', `Invalid arn ${given}`);
  if (region !== place.region) throw notFound(`Invalid arn ${region}`);
  if (kind === 'alias') {
    if (!takesAliases) throw notFound(`Invalid keyId '${given}'`);
    throw noAlias(`${ALIAS}${name}`, { region, account: account ?? '' });
  }
  if (account !== place.account) throw notFound(`Key '${given}' does not exist`);
  if (!isUuid(name)) throw notFound(`Invalid keyId '${name}'`);
  return name.toLowerCase();
}

/** The error for a key that there is not. */
export function noSuchKey(arn: string, cause?: unknown): Error {
  return notFound(`Key '${arn}' does not exist`, cause);
}

function noAlias(name: string, { region, account }: Place): Error {
  return notFound(`Alias arn:aws:kms:${region}:${account}:${name} is not found.`);
}

function notFound(message: string, cause?: unknown): Error {
  return awsError('NOT_FOUND', 'NotFoundException', message, cause);
}
