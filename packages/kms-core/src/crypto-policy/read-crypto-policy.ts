import type { AlgorithmId } from '../algorithms/algorithm-id.ts';
import { resolveAlgorithm } from '../algorithms/resolve.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { type AlgorithmRule, CRYPTO_ACTS, type CryptoPolicy, type PolicySource, type Ruling } from './crypto-policy.ts';

type Members = Readonly<Record<string, unknown>>;

const MOST_CHARACTERS = 500;
const DAY_MS = 24 * 60 * 60 * 1000;
const RULING = 'must be "allowed", "discouraged", "refused" or {"until": "YYYY-MM-DD"}';

/**
 * Reads a crypto policy from parsed JSON; `docs/inventory.md` has its form.
 *
 * @throws KmsError `BAD_REQUEST` naming the first member that is wrong, one that is not known included: a misspelt rule would not hold.
 */
export function readCryptoPolicy(document: unknown): CryptoPolicy {
  const policy = objectAt(document, 'policy', ['name', 'sources', 'rules', 'otherwise']);
  const rules = new Map<AlgorithmId, AlgorithmRule>();
  for (const [index, each] of listAt(policy['rules'], 'rules').entries()) {
    const path = `rules[${index}]`;
    const rule = objectAt(each, path, ['algorithms', ...CRYPTO_ACTS, 'source']);
    const judged = ruleAt(rule, path);
    const names = listAt(rule['algorithms'], `${path}.algorithms`);
    if (names.length === 0) throw badRequest(`${path}.algorithms`, 'must name an algorithm');
    for (const [at, name] of names.entries()) {
      const id = algorithmAt(name, `${path}.algorithms[${at}]`);
      if (rules.has(id)) throw badRequest(`${path}.algorithms[${at}]`, 'is named by two rules');
      rules.set(id, judged);
    }
  }
  const otherwise = objectAt(policy['otherwise'], 'otherwise', [...CRYPTO_ACTS, 'source']);
  return {
    name: textAt(policy['name'], 'name'),
    sources: listAt(policy['sources'], 'sources').map((source, index) => sourceAt(source, `sources[${index}]`)),
    rules,
    otherwise: ruleAt(otherwise, 'otherwise'),
  };
}

function sourceAt(value: unknown, path: string): PolicySource {
  const { document, version, url } = objectAt(value, path, ['document', 'version', 'url']);
  return {
    document: textAt(document, `${path}.document`),
    version: textAt(version, `${path}.version`),
    ...(url === undefined ? {} : { url: textAt(url, `${path}.url`) }),
  };
}

function ruleAt(rule: Members, path: string): AlgorithmRule {
  return {
    create: rulingAt(rule['create'], `${path}.create`),
    protect: rulingAt(rule['protect'], `${path}.protect`),
    process: rulingAt(rule['process'], `${path}.process`),
    source: textAt(rule['source'], `${path}.source`),
  };
}

function rulingAt(value: unknown, path: string): Ruling {
  if (value === 'allowed' || value === 'discouraged' || value === 'refused') return value;
  if (!isObject(value)) throw badRequest(path, RULING);
  const { until } = objectAt(value, path, ['until']);
  return { until: endOfDay(until, `${path}.until`) };
}

/** The end of a day in UTC: up to its last moment the day counts. */
function endOfDay(value: unknown, path: string): number {
  const start =
    typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) ? Date.parse(`${value}T00:00:00Z`) : Number.NaN;
  // Days that no month has are read as those of the next one.
  if (Number.isNaN(start) || new Date(start).toISOString().slice(0, 10) !== value)
    throw badRequest(path, 'must be a day such as 2030-12-31');
  return start + DAY_MS;
}

function algorithmAt(value: unknown, path: string): AlgorithmId {
  try {
    return resolveAlgorithm(textAt(value, path)).id;
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    throw badRequest(path, `${JSON.stringify(value)} is no algorithm that this version knows`);
  }
}

function objectAt(value: unknown, path: string, known: readonly string[]): Members {
  if (!isObject(value)) throw badRequest(path, 'must be an object');
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw badRequest(path, `has the unknown member ${JSON.stringify(unknown)}; it may have ${known.join(', ')}`);
  return value;
}

/** What JSON writes as an object. */
function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listAt(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw badRequest(path, 'must be a list');
  return value;
}

function textAt(value: unknown, path: string): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= MOST_CHARACTERS) return value;
  throw badRequest(path, `must be a text of 1 to ${MOST_CHARACTERS} characters`);
}
