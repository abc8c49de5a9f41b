import { SignatureRefusal } from './signature-refusal.ts';

/** What an `Authorization` header says, none of which is believed yet. */
export interface Authorization {
  readonly accessKeyId: string;
  /** Of the scope: `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** In lower case, sorted and unique. */
  readonly signedHeaders: readonly string[];
  /** 64 hexadecimal digits in lower case. */
  readonly signature: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const FIELDS = /^(\w+)=([^,= ]+)$/;
const CREDENTIAL = /^(\w{1,128})\/(\d{8})\/([a-z0-9-]{1,64})\/([a-z0-9-]{1,64})\/aws4_request$/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const SIGNATURE = /^[0-9a-f]{64}$/;

/** @throws SignatureRefusal for what is not of this algorithm, or not as it is spelt. */
export function readAuthorization(text: string): Authorization {
  if (!text.startsWith(`${ALGORITHM} `)) throw incomplete();
  const fields = new Map<string, string>();
  for (const part of text.slice(ALGORITHM.length + 1).split(/, */)) {
    const [, name = '', value = ''] = FIELDS.exec(part) ?? [];
    if (fields.has(name)) throw incomplete();
    fields.set(name, value);
  }
  const credential = CREDENTIAL.exec(fields.get('Credential') ?? '');
  const signedHeaders = fields.get('SignedHeaders')?.split(';') ?? [];
  const signature = fields.get('Signature') ?? '';
  if (fields.size !== 3 || credential === null || !SIGNATURE.test(signature) || !isNamesInOrder(signedHeaders))
    throw incomplete();
  const [, accessKeyId = '', date = '', region = '', service = ''] = credential;
  return { accessKeyId, date, region, service, signedHeaders, signature };
}

function isNamesInOrder(names: readonly string[]): boolean {
  return names.length > 0 && names.every((name, at) => HEADER_NAME.test(name) && (names[at - 1] ?? '') < name);
}

function incomplete(): SignatureRefusal {
  return new SignatureRefusal(
    'incomplete',
    `Authorization has to be "${ALGORITHM} Credential=…, SignedHeaders=…, Signature=…".`,
  );
}
