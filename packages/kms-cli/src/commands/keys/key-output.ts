import type { Key } from '@qnsp/kms-client';
import type { Command } from 'commander';
import type { CommandIo } from '../../io.ts';
import { formatOutput } from '../../output.ts';
import { outputFormat } from '../command-group.ts';

/** Writes a key, and what the service did differently from what was asked. */
export function writeKey(io: CommandIo, command: Command, key: Key): void {
  io.out(formatOutput(outputFormat(command), key, (value) => [row(value)]));
  warn(io, key.warnings);
}

/** Writes keys in a table, or as a JSON array. */
export function writeKeys(io: CommandIo, command: Command, keys: readonly Key[]): void {
  io.out(formatOutput(outputFormat(command), keys, (values) => values.map(row), Object.keys(COLUMNS)));
}

function warn(io: CommandIo, warnings: readonly string[] = []): void {
  for (const warning of warnings) io.err(`Note: ${warning}\n`);
}

const COLUMNS = {
  id: (key: Key) => key.keyId,
  name: (key: Key) => key.name,
  algorithm: (key: Key) => key.algorithm,
  purpose: (key: Key) => key.purposes.join(','),
  state: (key: Key) => key.state,
  version: (key: Key) => key.currentVersion,
  created: (key: Key) => key.createdAt,
  'destroyed at': (key: Key) => key.destroyAt,
};

function row(key: Key): Readonly<Record<string, string | number | null>> {
  return Object.fromEntries(Object.entries(COLUMNS).map(([title, value]) => [title, value(key)]));
}
