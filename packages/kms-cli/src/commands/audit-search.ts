import type { AuditEvent, ChainedEvent, Checkpoint, ListAuditEventsInput } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../connection/connect.ts';
import type { CommandIo } from '../terminal/io.ts';
import { instant, wholeNumber } from '../terminal/option-values.ts';
import { type Columns, print, rowOf } from './command-group.ts';
import { KEY_HELP, keyIdOf } from './named-key.ts';

const RESULTS: readonly AuditEvent['result'][] = ['success', 'denied', 'failure'];
const LIMIT = 50;
/** The most that the service returns at a time. */
const PAGE = 100;

interface EventOptions extends Pick<ListAuditEventsInput, 'actor' | 'result'> {
  readonly key?: string;
  // The service knows its event types and reports unknown ones.
  readonly type?: ListAuditEventsInput['eventType'];
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
}

const EVENT: Columns<ChainedEvent> = {
  id: ({ event }) => event.eventId,
  sequence: ({ sequence }) => sequence,
  time: ({ event }) => event.timestamp,
  type: ({ event }) => event.eventType,
  result: ({ event }) => event.result,
  actor: ({ event }) => event.actor.id,
  resource: ({ event }) => event.resource.id,
};

const CHECKPOINT: Columns<Checkpoint> = {
  id: (checkpoint) => checkpoint.checkpointId,
  time: (checkpoint) => checkpoint.timestamp,
  first: (checkpoint) => checkpoint.firstSequence,
  last: (checkpoint) => checkpoint.lastSequence,
  events: (checkpoint) => checkpoint.eventCount,
};

/** What looks things up in the evidence of the tenant. */
export function addAuditSearch(audit: Command, io: CommandIo): void {
  audit
    .command('events')
    .description('search the events of the tenant, the newest first')
    .option('--key <key>', `only of this key; ${KEY_HELP}`)
    .option('--type <type>', 'only events of this type, such as kms.key.rotated')
    .option('--actor <id>', 'only actions of this token or person')
    .addOption(new Option('--result <result>', 'only events with this result').choices(RESULTS))
    .option('--from <time>', 'only events at or after this time', instant)
    .option('--to <time>', 'only events before this time', instant)
    .option('--limit <number>', 'maximum number of events to list', wholeNumber, LIMIT)
    .action(async ({ key, type, limit, ...filter }: EventOptions, command: Command) => {
      const kms = connect(io);
      const keyId = key === undefined ? undefined : await keyIdOf(kms, key, io);
      const found = await pages(limit, (size, cursor) =>
        kms.listAuditEvents({ ...filter, keyId, eventType: type, limit: size, cursor }, callOptions(io)),
      );
      print(io, command, found, (all) => all.map(rowOf(EVENT)), Object.keys(EVENT));
    });
  audit
    .command('proof')
    .argument('<event-id>')
    .description('show the proof that an event is in the evidence signed by a checkpoint')
    .action(async (eventId: string, _options, command: Command) => {
      const proof = await connect(io).getAuditProof({ eventId }, callOptions(io));
      print(io, command, proof, ({ event }) => [rowOf(EVENT)(event)]);
    });
  audit
    .command('checkpoints')
    .description('list the signed checkpoints of the tenant, the newest first')
    .option('--limit <number>', 'maximum number of checkpoints to list', wholeNumber, LIMIT)
    .action(async ({ limit }: { readonly limit: number }, command: Command) => {
      const kms = connect(io);
      const found = await pages(limit, (size, cursor) =>
        kms.listAuditCheckpoints({ limit: size, cursor }, callOptions(io)),
      );
      print(io, command, found, (all) => all.map(rowOf(CHECKPOINT)), Object.keys(CHECKPOINT));
    });
}

interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

async function pages<T>(
  limit: number,
  read: (size: number, cursor: string | undefined) => Promise<Page<T>>,
): Promise<readonly T[]> {
  const found: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(Math.min(limit - found.length, PAGE), cursor);
    found.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && found.length < limit);
  return found;
}
