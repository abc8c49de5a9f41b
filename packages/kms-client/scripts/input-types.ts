import type { Route } from '@qnsp/kms-contract';
import { bodyOf, queryOf, type Schema } from './contract-document.ts';
import { comment, objectType } from './schema-types.ts';

/** The declaration of what a method takes: path parameters, query and body in one object. */
export function inputType(route: Route, used: Set<string>): string {
  const name = `${route.operationId[0]?.toUpperCase()}${route.operationId.slice(1)}Input`;
  const body = bodyOf(route);
  const inPath =
    route.crypto === undefined ? [...route.path.matchAll(/\{(\w+)\}/g)].map(([, parameter = '']) => parameter) : [];
  const ids = Object.fromEntries(inPath.map((parameter) => [parameter, { type: 'string', format: 'uuid' }]));
  const ifRevision = {
    type: 'integer',
    description: 'Do it only while the key has this revision; otherwise `CONFLICT`.',
  };
  const properties: Record<string, Schema> = {
    ...(route.method === 'GET' && route.auth !== 'none' ? queryOf(route) : {}),
    ...body.properties,
    ...ids,
    ...(route.ifMatch === true ? { ifRevision } : {}),
  };
  const key = route.crypto?.keyRequired === true ? ['keyId'] : [];
  const type = objectType({ properties, required: [...body.required, ...inPath, ...key] }, 'request', used);
  const origin = comment(`What {@link KmsOperations.${route.operationId}} takes.`);
  return type === '{\n\n}'
    ? `${origin}export type ${name} = Readonly<Record<string, never>>;`
    : `${origin}export interface ${name} ${type}`;
}
