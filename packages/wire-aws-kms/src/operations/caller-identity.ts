import { awsError } from '../errors/aws-error.ts';
import { userArn } from '../names/arn.ts';
import { operation } from '../request/aws-call.ts';

/** Who calls: `GetCallerIdentity` of the Security Token Service, which clients ask before they ask for anything else. */
export const CALLER_IDENTITY = operation({
  action: 'GetCallerIdentity',
  operation: 'getOwnToken',
  members: {},
  handle: async ({ op, place }) => {
    const { subject } = op.caller;
    return { Arn: userArn(place, subject), UserId: subject, Account: place.account };
  },
});

/**
 * Throws unless a form asks for the one operation that there is.
 *
 * @throws KmsError `FORBIDDEN` for roles, which are not given to anybody; `NOT_FOUND` for any other
 */
export function requireCallerIdentity(body: Buffer): void {
  const action = new URLSearchParams(body.toString('utf8')).get('Action');
  if (action === 'GetCallerIdentity') return;
  if (action?.startsWith('AssumeRole') === true)
    throw awsError('FORBIDDEN', 'AccessDenied', `sts:${action} is not supported by this service.`);
  throw awsError('NOT_FOUND', 'InvalidAction', 'There is nothing but GetCallerIdentity.');
}
