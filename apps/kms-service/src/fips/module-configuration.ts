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
