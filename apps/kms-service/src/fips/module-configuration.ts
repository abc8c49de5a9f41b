/** The section in which `openssl fipsinstall` writes what it says of a module. */
const SECTION = 'fips_sect';
/** What makes a provider skip its self test because it passed once, when it was installed. */
const SKIPS_SELF_TEST = new Set(['install-mac', 'install-status']);
/** What the service says itself, and so takes from nowhere else. */
const OWN = new Set(['activate', 'module', 'identity']);

/**
 * The parameters of a FIPS provider in a `fipsmodule.cnf`, its MAC among them, in their order. Those that would spare it its self test
 * are left out: it tests itself in every process that loads it.
 *
 * @param text the content of the file that `openssl fipsinstall` wrote
 * @returns `undefined` where no MAC of a module is in it
 */
export function readModuleParameters(text: string): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    section = /^\s*\[\s*(\S+)\s*\]\s*$/.exec(line)?.[1] ?? section;
    // Names and values of this file are of these characters alone: nothing in them means anything to OpenSSL's reader.
    const [, name = '', value = ''] = /^\s*([a-z0-9-]+)\s*=\s*([A-Za-z0-9:._-]+)\s*$/.exec(line) ?? [];
    if (section === SECTION && name !== '' && !SKIPS_SELF_TEST.has(name) && !OWN.has(name)) parameters.set(name, value);
  }
  return parameters.has('module-mac') ? parameters : undefined;
}

/** What FIPS 140-3 has a module do, and `openssl fipsinstall` can be told to leave out. */
const NEEDED: Readonly<Record<string, string>> = {
  'conditional-errors': 'a provider whose test of a new key pair or of its random numbers fails would continue',
  'security-checks': 'the provider would take keys that are too short and curves that are not approved',
};

/**
 * @param parameters what {@link readModuleParameters} read
 * @returns which of them would have a provider do less than FIPS 140-3 asks of it, and what, `undefined` where none does
 */
export function weakenedChecks(parameters: ReadonlyMap<string, string>): string | undefined {
  const found = Object.entries(NEEDED).filter(([name]) => (parameters.get(name) ?? '1') !== '1');
  if (found.length === 0) return undefined;
  return found.map(([name, effect]) => `${name} = ${parameters.get(name)}: ${effect}`).join('; ');
}
