import { isUuid, OPERATIONS, PERMISSIONS } from '@qnsp/kms-core';
import { isAddressBlock } from '@qnsp/kms-core/internal';
import { z } from 'zod';
import { LIMITS } from '../bounds/limits.ts';
import { instantText } from './instant.ts';
import { line } from './text.ts';
import { uuid } from './uuid.ts';
import { component, onTheWire } from './wire-schema.ts';

const bounds = LIMITS.policy;

/** One value or a list of them in JSON, always a list inside. */
function oneOrMore<Item extends z.ZodType<string, string>>(item: Item, maximum: number, json: object) {
  const list = z.array(item).min(1).max(maximum);
  const codec = z.codec(
    z.custom<string | string[]>(
      (value) => typeof value === 'string' || Array.isArray(value),
      'must be a string or a list',
    ),
    list,
    {
      // The list checks each of its items, so this need not.
      decode: (value) => (typeof value === 'string' ? [value] : value) as z.input<typeof list>,
      encode: (value) => value,
    },
  );
  return onTheWire(codec, { anyOf: [json, { type: 'array', minItems: 1, maxItems: maximum, items: json }] });
}

const action = onTheWire(z.string().refine(isAction, 'must be a permission, or the beginning of one followed by *'), {
  type: 'string',
  pattern: '^(\\*|kms:[a-z:-]*\\*?)$',
  examples: [OPERATIONS.encrypt.permission, 'kms:keys:*', '*'],
});

/** An action that covers no permission would silently never match. */
function isAction(text: string): boolean {
  if (!text.endsWith('*')) return PERMISSIONS.some((permission) => permission === text);
  return PERMISSIONS.some((permission) => permission.startsWith(text.slice(0, -1)));
}

const resource = z
  .string()
  .refine((text) => text === '*' || isUuid(text), 'must be a key id or *')
  .overwrite((text) => text.toLowerCase());

const time = z
  .strictObject({ notBefore: instantText.exactOptional(), notAfter: instantText.exactOptional() })
  .refine(
    ({ notBefore, notAfter }) => notBefore === undefined || notAfter === undefined || notBefore < notAfter,
    'notBefore must be before notAfter',
  )
  .describe('The statement applies from `notBefore` until just before `notAfter`.');

const conditions = z
  .strictObject({
    tenant: oneOrMore(uuid, bounds.tenants, { type: 'string', format: 'uuid' }).exactOptional(),
    ip: oneOrMore(z.string().refine(isAddressBlock, 'must be an IP address or a CIDR block'), bounds.addresses, {
      type: 'string',
    })
      .exactOptional()
      .describe('Addresses or CIDR blocks that the caller must be in.'),
    time: time.exactOptional(),
    mfa: z.boolean().exactOptional(),
  })
  .describe('Every condition that is present must hold.');

const statement = z.strictObject({
  effect: z.enum(['allow', 'deny']),
  actions: z.array(action).min(1).max(bounds.actions).describe('Permissions, with `*` at the end as a wildcard.'),
  resources: z.array(resource).min(1).max(bounds.resources).describe('Key ids, or `*`.'),
  principals: z
    .array(line(LIMITS.subjectCharacters))
    .min(1)
    .max(bounds.principals)
    .exactOptional()
    .describe('Subjects; if absent, everyone.'),
  conditions: conditions.exactOptional(),
});

const policyFields = {
  version: z.literal('1'),
  statements: z.array(statement).max(bounds.statements),
};

function isBounded(document: unknown): boolean {
  return JSON.stringify(document).length <= bounds.totalCharacters;
}

/** Whether a policy that locks its writer out is accepted. */
export const allowLockout = z
  .boolean()
  .describe('Also accepts a policy that keeps its writer from changing it again, which is otherwise refused.');

/** The policy of a key: deny wins; where no statement matches, the permissions of the credential decide. */
export const policyDocument = component(
  'KeyPolicy',
  z.strictObject(policyFields).refine(isBounded, `must be at most ${bounds.totalCharacters} characters of JSON`),
);
