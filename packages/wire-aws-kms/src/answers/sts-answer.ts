import type { Answer } from '@qnsp/http-edge';
import { headersOf } from './problem.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** An answer of the Security Token Service, in XML. */
export function stsAnswer(requestId: string, action: string, members: Readonly<Record<string, unknown>>): Answer {
  const result = Object.entries(members)
    .map(([name, value]) => element(name, String(value)))
    .join('');
  const body = `<${action}Response xmlns="${NAMESPACE}"><${action}Result>${result}</${action}Result><ResponseMetadata>${element('RequestId', requestId)}</ResponseMetadata></${action}Response>`;
  return { status: 200, headers: headersOf(requestId, 'text/xml'), body };
}

/** An error of the Security Token Service. */
export function stsProblem({ status, body, headers }: Answer, requestId: string): Answer {
  const { __type: type, message = '' } = JSON.parse(body) as { readonly __type: string; readonly message?: string };
  const sender = status < 500 ? 'Sender' : 'Receiver';
  const xml = `<ErrorResponse xmlns="${NAMESPACE}"><Error>${element('Type', sender)}${element('Code', type)}${element('Message', message)}</Error>${element('RequestId', requestId)}</ErrorResponse>`;
  return { status, headers: { ...headers, 'content-type': 'text/xml' }, body: xml };
}

function element(name: string, text: string): string {
  return `<${name}>${text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)}</${name}>`;
}
