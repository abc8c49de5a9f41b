import type { Key } from '@qnsp/kms-client';
import type { Command } from 'commander';
import type { CommandIo } from '../../terminal/io.ts';
import { type Columns, print, rowOf, warn } from '../command-group.ts';

/** Writes a key, and what the service did differently from the request. */
export function writeKey(io: CommandIo, command: Command, key: Key): void {
  print(io, command, key, (value) => [row(value)]);
  warn(io, key.warnings);
}

/** Writes keys in a table, or as a JSON array. */
export function writeKeys(io: CommandIo, command: Command, keys: readonly Key[]): void {
  print(io, command, keys, (values) => values.map(row), Object.keys(COLUMNS));
}

const COLUMNS: Columns<Key> = {
  id: (key) => key.keyId,
  name: (key) => key.name,
  algorithm: (key) => key.algorithm,
  purpose: (key) => key.purposes.join(','),
  state: (key) => key.state,
  version: (key) => key.currentVersion,
  created: (key) => key.createdAt,
  'destroyed at': (key) => key.destroyAt,
};
const row = rowOf(COLUMNS);
