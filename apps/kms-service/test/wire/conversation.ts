import { readFileSync } from 'node:fs';

/** One request and what must come back. */
export interface Step {
  readonly title: string;
  /** The request line and the headers, with placeholders. */
  readonly head: readonly string[];
  readonly body: string;
  readonly status: number;
  /** What the answer must hold at least, as JSON with placeholders. */
  readonly expected: string;
  /** Which fields of the answer later steps use: the placeholder and the path of the field. */
  readonly saves: readonly (readonly [string, string])[];
}

export interface Conversation {
  /** Whether head and body go out in two writes. */
  readonly apart: boolean;
  readonly steps: readonly Step[];
}

/** Reads a file as the README beside it describes. */
export function readConversation(file: string | URL): Conversation {
  const [preamble = '', ...sections] = readFileSync(file, 'utf8').split(/^### /m);
  return { apart: /^@apart$/m.test(preamble), steps: sections.map(parseStep) };
}

function parseStep(section: string): Step {
  const [request = '', answer = ''] = section.split(/^=> /m);
  const [title = '', ...lines] = request.split('\n');
  const end = lines.indexOf('');
  const [, status, expected] = /^(\d+) ?(.*)$/m.exec(answer) ?? [];
  if (status === undefined || end < 1) throw new Error(`The step "${title}" is not complete`);
  return {
    title,
    head: lines.slice(0, end),
    body: lines
      .slice(end + 1)
      .join('\n')
      .trim(),
    status: Number(status),
    expected: expected === undefined || expected === '' ? '{}' : expected,
    saves: [...answer.matchAll(/^save (\w+) = (\S+)$/gm)].map(([, name = '', path = '']) => [name, path] as const),
  };
}

export type Values = Readonly<Record<string, string>>;

/** Puts values in for `{{name}}`. Throws for a name that has none. */
export function fill(text: string, values: Values): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`Nothing is known as ${name}`);
    return value;
  });
}

/** The bytes of a step in the writes that the client makes; `expectsContinue` waits for a go-ahead before the second. */
export function writesOf(
  step: Step,
  apart: boolean,
  values: Values,
): { readonly writes: readonly string[]; readonly expectsContinue: boolean } {
  const body = fill(step.body, values);
  const length = String(Buffer.byteLength(body));
  const head = `${step.head.map((line) => fill(line, { ...values, length })).join('\r\n')}\r\n\r\n`;
  const has = (header: RegExp) => step.head.some((line) => header.test(line));
  const framed = has(/^transfer-encoding: chunked$/i) ? inChunks(body) : body;
  const expectsContinue = has(/^expect: 100-continue$/i);
  return { writes: apart || expectsContinue ? [head, framed] : [head + framed], expectsContinue };
}

/** In two chunks, cut where nothing in the JSON ends. */
function inChunks(body: string): string {
  const middle = Math.floor(body.length / 2);
  const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
  return `${chunk(body.slice(0, middle))}${chunk(body.slice(middle))}0\r\n\r\n`;
}

/** The field at a path like `items.0.keyId`. Throws when it is not there. */
export function fieldAt(json: unknown, path: string): string {
  const value = path
    .split('.')
    .reduce<unknown>((at, name) => (at as Readonly<Record<string, unknown>> | undefined)?.[name], json);
  if (typeof value !== 'string') throw new Error(`The answer has no ${path}`);
  return value;
}
