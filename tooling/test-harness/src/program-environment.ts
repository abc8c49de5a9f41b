/**
 * What a program that a test starts gets of the environment of the test: where programs are and, so that TypeScript sources
 * are not compiled again by each of them, where Node.js keeps what it compiled.
 */
export function programEnvironment(): Readonly<Record<string, string>> {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }) };
}
