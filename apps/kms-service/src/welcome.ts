import type { ClientFile } from './bootstrap.ts';

/** What a person who starts the service by hand wants to see: where it is, and a command that works when pasted. */
export function welcomeText({ path, client }: { readonly path: string; readonly client: ClientFile }): string {
  const { baseUrl, tenantId } = client;
  const [, socketFile] = /^unix:(.*)$/s.exec(baseUrl) ?? [];
  const address = socketFile === undefined ? baseUrl : `--unix-socket ${JSON.stringify(socketFile)} http://localhost`;
  const curl = [
    `curl -sS ${address}/kms/v1/keys`,
    `-H "authorization: Bearer $(node -p 'JSON.parse(fs.readFileSync(${JSON.stringify(path)})).apiToken')"`,
    `-H 'content-type: application/json' -d '{"name":"my first key"}'`,
  ].join(' \\\n    ');
  // A browser has no way to a socket file.
  const explorer = socketFile === undefined ? `\n  explorer     ${baseUrl}/explorer` : '';
  const aws = socketFile === undefined ? awsCommand(path, client) : '';
  return `
QNSP KMS listens on ${baseUrl}
  tenant       ${tenantId}
  credentials  ${path}${explorer}
  create a key:

  ${curl}
${aws}
`;
}

/** The first thing that somebody tries who has the command line of AWS. */
function awsCommand(path: string, { baseUrl, aws }: ClientFile): string {
  if (aws === undefined) return '';
  const value = (name: keyof typeof aws) =>
    `$(node -p 'JSON.parse(fs.readFileSync(${JSON.stringify(path)})).aws.${name}')`;
  return `  the same with the command line of AWS:

  AWS_ACCESS_KEY_ID="${value('accessKeyId')}" \\
    AWS_SECRET_ACCESS_KEY="${value('secretAccessKey')}" \\
    aws kms create-key --region ${aws.region} --endpoint-url ${baseUrl}
`;
}
