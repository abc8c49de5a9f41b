import type { Approval } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { type Columns, type CommandGroup, print, rowOf, warn } from '../command-group.ts';

const STATES = ['pending', 'executed', 'refused', 'withdrawn'] as const;
type State = (typeof STATES)[number];

const COLUMNS: Columns<Approval> = {
  id: (approval) => approval.approvalId,
  state: (approval) => approval.state,
  operation: (approval) => approval.operation,
  request: (approval) => JSON.stringify(approval.request),
  by: (approval) => approval.requestedBy,
  approved: (approval) => `${approval.approved} of ${approval.required}`,
  expires: (approval) => approval.expiresAt,
};
const row = rowOf(COLUMNS);

/** `kms approvals …`: what waits for others. */
export const approvalCommands: CommandGroup = (program, io) => {
  const approvals = program.command('approvals').description('show what waits for approvals, and approve or refuse it');
  approvals
    .command('list')
    .description('list the requests of the tenant, newest first')
    .addOption(new Option('--state <state>', 'only those in this state').choices(STATES))
    .action(async ({ state }: { readonly state?: State }, command: Command) => {
      const items: Approval[] = [];
      const kms = connect(io);
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const query = { limit: 200, ...(state === undefined ? {} : { state }), ...(cursor && { cursor }) };
        const page = await kms.listApprovals(query, callOptions(io));
        items.push(...page.items);
        warn(io, page.warnings);
        cursor = page.nextCursor;
      }
      print(io, command, items, (all) => all.map(row), Object.keys(COLUMNS));
    });
  approvals
    .command('show')
    .argument('<approval-id>')
    .description('show a request')
    .action(async (approvalId: string, _options, command: Command) => {
      print(io, command, await connect(io).getApproval({ approvalId }, callOptions(io)), (value) => [row(value)]);
    });
  addDecision(approvals, io, 'approve', 'let a request of somebody else pass');
  addDecision(approvals, io, 'refuse', 'end a request of somebody else');
  addDecision(approvals, io, 'withdraw', 'take an own request back');
};

function addDecision(
  approvals: Command,
  io: CommandIo,
  decision: 'approve' | 'refuse' | 'withdraw',
  description: string,
): void {
  approvals
    .command(decision)
    .argument('<approval-id>')
    .description(description)
    .action(async (approvalId: string, _options, command: Command) => {
      const said = await connect(io).decideApproval({ approvalId, decision }, callOptions(io));
      print(io, command, said, (value) => [row(value)]);
    });
}
