import { invalidArgument } from '../errors/kms-client-error.ts';

/**
 * Where the token of a call comes from: the token itself, or a function that is asked before each attempt, and again
 * with `refresh` when the service refused the previous one.
 */
export type TokenSource = string | ((need: { readonly refresh: boolean }) => string | Promise<string>);

/** Returns the `Authorization` header of an attempt; `undefined` sends none. */
export interface Credential {
  /** Whether asking again may return another one. */
  readonly renews: boolean;
  header(need: { readonly refresh: boolean }): Promise<string | undefined>;
}

/** The credential of a token. Throws `INVALID_ARGUMENT` for an impossible one. */
export function bearer(token: TokenSource): Credential {
  if (typeof token === 'function') return { renews: true, header: async (need) => headerOf(await token(need)) };
  const header = headerOf(token);
  return { renews: false, header: async () => header };
}

function headerOf(token: unknown): string {
  // Checked here, since the error that `fetch` throws for an unsendable header repeats the header.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
    throw invalidArgument('The token must be a string of visible ASCII characters without white space.');
  return `Bearer ${token}`;
}

/** A credential that comes as the whole header. */
export function wholeHeader(getAuthHeader: () => string | undefined | Promise<string | undefined>): Credential {
  return {
    renews: true,
    header: async () => {
      const header = await getAuthHeader();
      if (header !== undefined && !/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(header))
        throw invalidArgument('getAuthHeader must return a string of visible ASCII characters, such as "Bearer …".');
      return header;
    },
  };
}
