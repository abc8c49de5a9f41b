/** The scripts of the workspace's package.json that every change has to pass, the quickest first. */
export const gates = [
  'format:check',
  'wording',
  'lint',
  'boundaries',
  'typecheck',
  'knip',
  'build',
  'publint',
  'docs',
] as const;

export type Gate = (typeof gates)[number];
