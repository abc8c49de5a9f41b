import { ALGORITHMS, ALL_ROUTES, BASE_PATH, ERROR_CODES, LIMITS, type Route } from '@qnsp/kms-contract';
import { answerName, answerShapes } from './answer-shapes.ts';
import { bodyOf, documented, isText, queryOf } from './contract-document.ts';
import { inputType } from './input-types.ts';
import { comment, declaration } from './schema-types.ts';

const NOTICE =
  '// Written by scripts/write-generated.ts from @qnsp/kms-contract: change the contract, then "pnpm run generate".\n';

/**
 * The files of `src/generated`, by name: what the client knows of the contract, so that it needs no part of it at run
 * time.
 */
export function generatedFiles(): Readonly<Record<string, string>> {
  return {
    'operations.ts': operations(),
    'answer-shapes.ts': `${NOTICE}\n${answerShapes()}`,
    'types.ts': types(),
    'algorithms.ts': algorithms(),
    'errors.ts': `${NOTICE}
/** The error codes of the service. */
export type KmsErrorCode = ${ERROR_CODES.map((code) => `'${code}'`).join(' | ')};
`,
  };
}

function operations(): string {
  const rows = ALL_ROUTES.map((route) => `  ${route.operationId}: ${JSON.stringify(operationOf(route))},`);
  return `${NOTICE}
import type { OperationOf } from '../base/operation.ts';
import type { ANSWER_SHAPES } from './answer-shapes.ts';

/** How an operation of the contract is called. */
export type Operation = OperationOf<keyof typeof ANSWER_SHAPES>;

/** How each operation of the contract is called. */
export const OPERATIONS = {
${rows.join('\n')}
} as const satisfies Readonly<Record<string, Operation>>;

export const BATCH_LIMITS = { items: ${LIMITS.batchItems}, bytes: ${LIMITS.batchBodyBytes} } as const;
`;
}

function operationOf(route: Route): Record<string, unknown> {
  const keyless = route.crypto === undefined ? undefined : route.also?.[0]?.path;
  const bytes = Object.entries(bodyOf(route).properties)
    .filter(([, schema]) => schema.contentEncoding === 'base64')
    .map(([name]) => name);
  const query = route.method === 'GET' && route.auth !== 'none' ? Object.keys(queryOf(route)) : [];
  return {
    method: route.method,
    path: pathOf(route),
    ...(keyless === undefined ? {} : { withoutKey: keyless }),
    ...(route.crypto === undefined ? {} : { keyField: route.crypto.keyField }),
    ...(query.length === 0 ? {} : { query }),
    ...(bytes.length === 0 ? {} : { bytes }),
    answer: isText(route) ? 'text' : answerName(route),
    ...(route.otherStatuses === undefined ? {} : { otherStatuses: route.otherStatuses }),
    ...(route.mutating ? { mutating: true } : {}),
    ...(route.auth === 'none' ? { open: true } : {}),
  };
}

/** The address below the base path if there are several: a gateway leads to no other. */
function pathOf(route: Route): string {
  if (route.path.startsWith(BASE_PATH)) return route.path;
  const below = route.also?.find((address) => address.method === route.method && address.path.startsWith(BASE_PATH));
  return below?.path ?? route.path;
}

function types(): string {
  const { schemas } = documented;
  const used = new Set<string>();
  const inputs = ALL_ROUTES.map((route) => inputType(route, used));
  const methods = ALL_ROUTES.map((route) => method(route));
  for (const route of ALL_ROUTES) if (!isText(route)) used.add(answerName(route));
  const declarations = new Map<string, string>();
  // A type may name others, which are added to the set while it is walked.
  for (const name of used) declarations.set(name, declaration(name, schemas[name], used));
  for (const [name, text] of declarations)
    if (!text.startsWith('/**')) declarations.set(name, `${comment(originOf(name, declarations))}${text}`);
  const all = [...declarations].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  return `${NOTICE}
import type { CallOptions } from '../base/call-options.ts';
import type { AlgorithmName } from './algorithms.ts';

${all.join('\n\n')}

${inputs.join('\n\n')}

/** Every operation of the service. */
export interface KmsOperations {
${methods.join('\n\n')}
}
`;
}

/** Where the type of an answer comes from, for one that the contract itself does not describe. */
function originOf(name: string, declarations: ReadonlyMap<string, string>): string {
  const [route, ...more] = ALL_ROUTES.filter((each) => !isText(each) && answerName(each) === name);
  if (route !== undefined)
    return `The answer of {@link KmsOperations.${route.operationId}}${more.length === 0 ? '' : ' and others'}.`;
  const [part] =
    [...declarations].find(([other, text]) => other !== name && new RegExp(`\\b${name}\\b`).test(text)) ?? [];
  return part === undefined ? 'Part of what a request takes.' : `Part of {@link ${part}}.`;
}

function method(route: Route): string {
  const name = route.operationId;
  const input = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
  const isOptional = inputIsOptional(route);
  const answer = isText(route) ? 'string' : answerName(route);
  const text = [`${route.summary}.`, route.description ?? ''].filter((line) => line !== '').join(' ');
  return `${comment(text, '  ')}  ${name}(input${isOptional ? '?' : ''}: ${input}, options?: CallOptions): Promise<${answer}>;`;
}

function inputIsOptional(route: Route): boolean {
  return !route.path.includes('{') && bodyOf(route).required.length === 0 && route.crypto === undefined;
}

function algorithms(): string {
  const names = ALGORITHMS.map(({ id, standardName }) => `  '${id}': '${standardName}',`);
  return `${NOTICE}
/** The name in its standard of each algorithm, by platform id. */
export const STANDARD_NAMES = {
${names.join('\n')}
} as const;

/** The platform id of an algorithm. */
export type AlgorithmId = keyof typeof STANDARD_NAMES;

/** An algorithm in a request: a platform id, the name in the standard, or a usual spelling. */
export type AlgorithmName = AlgorithmId | (string & Record<never, never>);
`;
}
