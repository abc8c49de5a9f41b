import { randomBytes } from 'node:crypto';
import { relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, startPostgres } from '@qnsp/test-harness';
import { startBenchService } from './load/start-sides.ts';
import { openTarget, postOf } from './load/target.ts';

/**
 * Lists the functions that one request enters, file by file, as the engine saw it: `npm run bench:steps`. What
 * `docs/architecture.md` says of the length of the way of a request is counted with it.
 *
 * Each function, method and closure of this repository counts once, however often it is called. Key and token are in memory, the
 * connection is open, and no evidence is kept. What is not in most of the requests that are looked at, such as a heartbeat that came in
 * between, is not part of the way.
 */
const WINDOWS = 60;
const WARM_UP = 50;
/** What comes right after the answer, such as the end of the request, belongs to it. */
const AFTERWARDS_MS = 1;

/** Files whose functions check, compare or encode one field or one value: a reader of the way passes over them. */
const OF_A_FIELD = [
  /^packages\/kms-core\/src\/(?:base|bounds|encoding)\//,
  /^packages\/kms-core\/src\/(?:model\/identifiers|hierarchy\/record-(?:encoding|formats)|evidence\/(?:key|field)-facts)\.ts$/,
  /^packages\/kms-contract\/src\/fields\//,
  /^packages\/kms-store-drizzle\/src\/(?:driver\/built-once|records\/(?:key-rows|version-changes))\.ts$/,
];
/** Parts of a class that nobody calls by their name. */
const OF_A_CLASS = /^(?:<instance_members_initializer>|get \w+)$/;
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface FunctionCoverage {
  readonly functionName: string;
  readonly ranges: readonly { readonly startOffset: number; readonly count: number }[];
}

interface ScriptCoverage {
  readonly url: string;
  readonly scriptId: string;
  readonly functions: readonly FunctionCoverage[];
}

/** The inspector of a process, as far as it is asked here. */
class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      // What the inspector sends is text: an answer with the id of its call, or a notice without one.
      const { id, result } = JSON.parse(String(data)) as { readonly id?: number; readonly result?: unknown };
      if (id === undefined) return;
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  static async open(port: number): Promise<Inspector> {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`);
    // The list of the inspector, which has one target.
    const [target] = (await response.json()) as readonly { readonly webSocketDebuggerUrl: string }[];
    if (target === undefined) throw new Error('The service has no inspector.');
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await new Promise((resolve) => {
      socket.addEventListener('open', resolve, { once: true });
    });
    return new Inspector(socket);
  }

  call(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  close(): void {
    this.#socket.close();
  }
}

/** The functions entered since this was last asked, each as `file:offset name`. */
async function entered(inspector: Inspector): Promise<ReadonlySet<string>> {
  // The shape that the protocol promises.
  const { result } = (await inspector.call('Profiler.takePreciseCoverage')) as { readonly result: ScriptCoverage[] };
  const names = new Set<string>();
  for (const { url, functions } of result) {
    if (!url.startsWith('file:')) continue;
    const path = relative(ROOT, fileURLToPath(url));
    if (path.startsWith('..') || path.includes('node_modules')) continue;
    for (const { functionName, ranges } of functions) {
      const [range] = ranges;
      if (range === undefined || range.count === 0 || (functionName === '' && range.startOffset === 0)) continue;
      names.add(`${path}:${range.startOffset} ${functionName === '' ? '(closure)' : functionName}`);
    }
  }
  return names;
}

async function stepsOf(inspector: Inspector, request: () => Promise<unknown>): Promise<readonly string[]> {
  for (let at = 0; at < WARM_UP; at += 1) await request();
  const seen = new Map<string, number>();
  for (let at = 0; at < WINDOWS; at += 1) {
    await entered(inspector);
    await request();
    await sleep(AFTERWARDS_MS);
    for (const step of await entered(inspector)) seen.set(step, (seen.get(step) ?? 0) + 1);
  }
  return [...seen].filter(([, windows]) => windows > WINDOWS / 2).map(([step]) => step);
}

const fileOf = (step: string): string => step.slice(0, step.indexOf(':'));
const nameOf = (step: string): string => step.slice(step.indexOf(' ') + 1);

function print(title: string, functions: readonly string[]): void {
  const isStep = (step: string) =>
    !OF_A_FIELD.some((files) => files.test(fileOf(step))) && !OF_A_CLASS.test(nameOf(step));
  const steps = functions.filter(isStep);
  const filesOf = (some: readonly string[]) => new Set(some.map(fileOf)).size;
  process.stdout.write(
    `${title}: ${steps.length} steps in ${filesOf(steps)} files; ${functions.length} functions in ${filesOf(functions)} files with those of a field\n`,
  );
  for (const [file, inFile] of Map.groupBy(steps, fileOf))
    process.stdout.write(`  ${file}: ${inFile.map(nameOf).join(', ')}\n`);
}

const postgres = await startPostgres();
const port = await freePort();
const service = await startBenchService(postgres.url, {}, [`--inspect=127.0.0.1:${port}`]);
const key = await service.createKey();
const target = await openTarget(service.port, 1);
const inspector = await Inspector.open(port);
await inspector.call('Profiler.enable');
await inspector.call('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
for (const [operation, body] of [
  ['encrypt', { plaintext: randomBytes(32).toString('base64') }],
  ['rotate', {}],
] as const) {
  const request = postOf(`/kms/v1/keys/${key}/${operation}`, body, service.token);
  print(operation, await stepsOf(inspector, () => target.closedLoop(request, 1)));
}
inspector.close();
target.close();
await service.stop();
await postgres.stop();
