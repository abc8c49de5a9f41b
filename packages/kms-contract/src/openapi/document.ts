import { EXAMPLE } from '../answers/examples.ts';
import type { JsonSchema } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { DEFAULT_SETTINGS } from '../calls/parse.ts';
import { type Address, type Route, TAGS } from '../route/route.ts';
import { ALL_ROUTES } from '../routes/index.ts';
import { Components } from './components.ts';
import { HEADER_PARAMETERS, parametersOf } from './parameters.ts';
import { bodySchema } from './request-schemas.ts';
import { responsesOf } from './responses.ts';

export interface OpenApiOptions {
  readonly version: string;
  /** Where the service is, for documents that tools use to call it; default: where the document came from. */
  readonly serverUrl?: string;
}

const DESCRIPTION = `Keys of many tenants, and the operations that use them.

Binary values are padded standard base64, decoded strictly; timestamps are RFC 3339, in UTC in answers, of the years 1970 to 9999. Fields
unknown to a request are refused; in the query of a list they are ignored, with a warning in \`warnings\`. A field that is \`null\` counts as absent, known or not, except in PATCH, where it removes a setting. A path whose id is not a UUID names nothing
and is \`NOT_FOUND\`; a key of another tenant is treated as nonexistent. An empty body is an empty object.

A gateway in front of the service may answer \`BAD_GATEWAY\` (502), \`SERVICE_UNAVAILABLE\` (503) and \`GATEWAY_TIMEOUT\` (504) for it, with
\`Retry-After\`. HEAD is GET without the body; OPTIONS names the methods of a path in \`Allow\`.

Every crypto operation also takes \`{items: […]}\`: up to ${LIMITS.batchItems} items, ${LIMITS.batchBodyBytes / 2 ** 20} MiB. The answer is \`{items: […]}\` in the same order,
each item its own answer or its own error, and the status is 200.`;

/** The OpenAPI 3.1 document of the service, from the route table. */
export function openApiDocument({ version, serverUrl = '/' }: OpenApiOptions): JsonSchema {
  const components = new Components();
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of ALL_ROUTES) {
    for (const [address, operationId] of addressesOf(route)) {
      paths[address.path] = {
        ...paths[address.path],
        [address.method.toLowerCase()]: operationOf(route, address, operationId, components),
      };
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'QNSP KMS',
      description: DESCRIPTION,
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: serverUrl }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API token (`qnsp_pqc_…`), or a JWT from an issuer that the deployment trusts.',
        },
      },
      parameters: HEADER_PARAMETERS,
      ...components.all(),
    },
  };
}

/** The addresses of a route, each with an id of its own in the document. */
function addressesOf(route: Route): readonly (readonly [Address, string])[] {
  const others = (route.also ?? []).map(
    (address) => [address, `${route.operationId}${suffixOf(route, address)}`] as const,
  );
  return [[route, route.operationId], ...others];
}

function suffixOf(route: Route, address: Address): string {
  if (route.crypto !== undefined) return 'WithKeyInBody';
  return address.method === route.method
    ? 'UnderBasePath'
    : `By${address.method[0]}${address.method.slice(1).toLowerCase()}`;
}

function operationOf(route: Route, address: Address, operationId: string, components: Components): JsonSchema {
  const permission = route.permission === undefined ? [] : [`Needs the permission \`${route.permission}\`.`];
  const description = [...(route.description === undefined ? [] : [route.description]), ...permission].join('\n\n');
  return {
    operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(description === '' ? {} : { description }),
    ...(route.auth === 'none' ? { security: [] } : {}),
    parameters: parametersOf(route, address, components),
    ...(address.method === 'GET' ? {} : { requestBody: requestBodyOf(route, address, components) }),
    responses: responsesOf(route, components),
  };
}

function requestBodyOf(route: Route, address: Address, components: Components): JsonSchema {
  const schema = bodySchema(route, address, components);
  const body = { ...(keyInBody(route, address) ? { keyId: EXAMPLE.keyId } : {}), ...route.example.body };
  const batch =
    route.crypto === undefined ? {} : { batch: { summary: 'Several items', value: { items: [body, body] } } };
  return {
    required: keyInBody(route, address) || !takesNothing(route),
    content: { 'application/json': { schema, examples: { one: { summary: 'One', value: body }, ...batch } } },
  };
}

/** Whether a request without a body, which counts as an empty object, is valid. */
function takesNothing(route: Route): boolean {
  const nothing = route.body.safeParse({});
  return nothing.success && (route.check?.(nothing.data, DEFAULT_SETTINGS) ?? []).length === 0;
}

function keyInBody({ crypto }: Route, { path }: Address): boolean {
  return crypto?.keyRequired === true && !path.includes('{keyId}');
}
