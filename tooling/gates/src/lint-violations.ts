export interface LintViolation {
  readonly path: string;
  readonly source: string;
  /** The rule, or the words of the message, with which the file must be reported. */
  readonly named: string;
}

function inService(named: string, source: string): LintViolation {
  return { path: `apps/kms-service/src/seeded-${named}.ts`, source, named };
}

const CORE_RULE = 'kms-core imports nothing but';

export const lintViolations: readonly LintViolation[] = [
  inService('no-floating-promises', 'export function start(work: () => Promise<void>): void {\n  work();\n}\n'),
  inService('no-explicit-any', 'export const value: any = 1;\n'),
  inService('no-non-null-assertion', 'export const first = (list: string[]): string => list[0]!;\n'),
  inService('no-console', "console.log('x');\n"),
  inService('no-empty', 'export function ignore(work: () => void): void {\n  try {\n    work();\n  } catch {}\n}\n'),
  inService('eqeqeq', 'export const same = (a: number, b: number): boolean => a == b;\n'),
  inService(
    'switch-exhaustiveness-check',
    "export function name(kind: 'a' | 'b'): void {\n  switch (kind) {\n    case 'a':\n      break;\n  }\n}\n",
  ),
  inService(
    'no-misused-promises',
    'export function each(list: readonly string[], work: (item: string) => Promise<void>): void {\n  list.forEach(work);\n}\n',
  ),
  {
    path: 'packages/kms-core/src/seeded-cycle-a.ts',
    source:
      "import type { B } from './seeded-cycle-b.ts';\n\nexport interface A {\n  readonly other: B | undefined;\n}\n",
    named: 'no-cycle',
  },
  {
    path: 'packages/kms-core/src/seeded-cycle-b.ts',
    source:
      "import type { A } from './seeded-cycle-a.ts';\n\nexport interface B {\n  readonly other: A | undefined;\n}\n",
    named: 'no-cycle',
  },
  { path: 'apps/kms-service/src/seededName.ts', source: 'export const word = 1;\n', named: 'filename-case' },
  {
    path: 'packages/kms-core/src/seeded-builtin.ts',
    source: "export { readFileSync } from 'node:fs';\n",
    named: CORE_RULE,
  },
  {
    path: 'packages/kms-core/src/seeded-package.ts',
    source: "import { z } from 'zod';\n\nexport const word = z.string();\n",
    named: CORE_RULE,
  },
  {
    path: 'packages/kms-core/src/seeded-type.ts',
    source: "import type { Hono } from 'hono';\n\nexport type App = Hono;\n",
    named: CORE_RULE,
  },
  {
    path: 'packages/kms-client/src/seeded-core.ts',
    source: "export { KmsError } from '@qnsp/kms-core';\n",
    named: 'kms-client uses no other package of the workspace than kms-contract',
  },
];
