import type { CommandGroup } from '../command-group.ts';
import { addKeyChanges } from './change-key.ts';
import { addCreateKey } from './create-key.ts';
import { addListKeys } from './list-keys.ts';

/** `kms keys …`: the life of keys. */
export const keyCommands: CommandGroup = (program, io) => {
  const keys = program.command('keys').description('make, list and change keys');
  addCreateKey(keys, io);
  addListKeys(keys, io);
  addKeyChanges(keys, io);
};
