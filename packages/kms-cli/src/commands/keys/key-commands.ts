import type { CommandGroup } from '../command-group.ts';
import { addKeyChanges } from './change-key.ts';
import { addCreateKey } from './create-key.ts';
import { addKeyFacts } from './key-facts.ts';
import { addListKeys } from './list-keys.ts';
import { addKeyPolicy } from './policy-commands.ts';
import { addUpdateKey } from './update-key.ts';

/** `kms keys …`: the life of keys. */
export const keyCommands: CommandGroup = (program, io) => {
  const keys = program.command('keys').description('create, list and change keys');
  addCreateKey(keys, io);
  addListKeys(keys, io);
  addUpdateKey(keys, io);
  addKeyChanges(keys, io);
  addKeyFacts(keys, io);
  addKeyPolicy(keys, io);
};
