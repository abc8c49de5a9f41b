import { ALL_ROUTES } from '@qnsp/kms-contract';
import { kindOf, type RouteKind } from './qnsp-target.ts';

/** What there is under one path. */
interface PathEntry {
  readonly kinds: ReadonlyMap<string, RouteKind>;
  /** Routes of other paths that answer a GET here which accepts what they write. */
  readonly accepting: readonly RouteKind[];
  /** The value of `allow`. */
  readonly allow: string;
}

interface FoundPath {
  readonly entry: PathEntry;
  readonly params: Readonly<Record<string, string>>;
}

interface Template {
  readonly segments: readonly string[];
  readonly entry: PathEntry;
}

const NO_PARAMS = {};
const WRITTEN_OUT = new Map<string, PathEntry>();
const TEMPLATES = new Map<number, Template[]>();

const addresses = ALL_ROUTES.flatMap((route) => {
  const kind = kindOf(route);
  return [route, ...(route.also ?? [])].map(({ method, path }) => ({ method, path, kind }));
});
for (const [path, ofPath] of Map.groupBy(addresses, (address) => address.path)) {
  const kinds = new Map(ofPath.map(({ method, kind }) => [method as string, kind]));
  const methods = [...kinds.keys(), ...(kinds.has('GET') ? ['HEAD'] : []), 'OPTIONS'];
  const accepting = ALL_ROUTES.filter(({ accepts = [] }) => accepts.includes(path)).map(kindOf);
  const entry = { kinds, accepting, allow: methods.sort().join(', ') };
  const segments = path.split('/');
  if (path.includes('{'))
    TEMPLATES.set(segments.length, [...(TEMPLATES.get(segments.length) ?? []), { segments, entry }]);
  else WRITTEN_OUT.set(path, entry);
}

/**
 * What there is under the path of a request; `undefined` for nothing. A path that is written out is never one with a parameter,
 * whatever the method, as OpenAPI has it: `/keys/stats` is no key.
 */
export function findPath(path: string): FoundPath | undefined {
  const entry = WRITTEN_OUT.get(path);
  if (entry !== undefined) return { entry, params: NO_PARAMS };
  const segments = path.split('/');
  const template = TEMPLATES.get(segments.length)?.find((one) => matches(one.segments, segments));
  return template === undefined ? undefined : { entry: template.entry, params: paramsOf(template.segments, segments) };
}

function matches(template: readonly string[], segments: readonly string[]): boolean {
  return template.every((part, at) => (isParam(part) ? segments[at] !== '' : part === segments[at]));
}

function paramsOf(template: readonly string[], segments: readonly string[]): Record<string, string> {
  const params = template.flatMap((part, at) =>
    isParam(part) ? [[part.slice(1, -1), decoded(segments[at] ?? '')]] : [],
  );
  return Object.fromEntries(params) as Record<string, string>;
}

function isParam(part: string): boolean {
  return part.startsWith('{');
}

/** What is no percent-encoding stays as it is, and is then no parameter of any route. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
