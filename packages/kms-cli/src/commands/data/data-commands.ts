import type { CommandGroup } from '../command-group.ts';
import { addDecrypt } from './decrypt-command.ts';
import { addEncrypt } from './encrypt-command.ts';
import { addMacCommands } from './mac-commands.ts';
import { addMessageCommands } from './message-commands.ts';
import { addSecretCommands } from './secret-commands.ts';
import { addSign } from './sign-command.ts';
import { addVerify } from './verify-command.ts';
import { addWrapCommands } from './wrap-commands.ts';

/** What works on data: `kms encrypt`, `kms decrypt` and the others. */
export const dataCommands: CommandGroup = (program, io) => {
  addEncrypt(program, io);
  addDecrypt(program, io);
  addSign(program, io);
  addVerify(program, io);
  addMacCommands(program, io);
  addWrapCommands(program, io);
  addSecretCommands(program, io);
  addMessageCommands(program, io);
};
