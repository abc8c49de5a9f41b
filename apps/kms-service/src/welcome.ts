import type { ClientFile } from './bootstrap.ts';

/** What a person who starts the service by hand wants to see: where it is, and a command that works when pasted. */
export function welcomeText({ path, client }: { readonly path: string; readonly client: ClientFile }): string {
  const curl = [
    `curl -sS ${client.baseUrl}/kms/v1/keys`,
    `-H "authorization: Bearer $(node -p 'JSON.parse(fs.readFileSync(${JSON.stringify(path)})).apiToken')"`,
    `-H 'content-type: application/json' -d '{"name":"my first key"}'`,
  ].join(' \\\n    ');
  return `
QNSP KMS listens on ${client.baseUrl}
  tenant       ${client.tenantId}
  credentials  ${path}
  explorer     ${client.baseUrl}/explorer
  create a key:

  ${curl}

`;
}
