import type { CommandGroup } from '../command-group.ts';
import { addDecrypt } from './decrypt-command.ts';
import { addEncrypt } from './encrypt-command.ts';

/** What works on data: `kms encrypt`, `kms decrypt` and the others. */
export const dataCommands: CommandGroup = (program, io) => {
  addEncrypt(program, io);
  addDecrypt(program, io);
};
