import type { KmsClient } from '@qnsp/kms-client';
import { CommandError, EXIT } from '../exit-codes.ts';
import type { CommandIo } from '../io.ts';
import { callOptions } from '../connection/connect.ts';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The text for help where a key is asked for. */
export const KEY_HELP = 'the id of the key, or its name where no other key has it';

/**
 * The id of a key that somebody named by its id or by its name. Destroyed keys are found by their ids alone.
 *
 * @throws CommandError when no key or several have the name.
 */
export async function keyIdOf(kms: KmsClient, key: string, io: CommandIo): Promise<string> {
  if (UUID.test(key)) return key;
  const { items } = await kms.listKeys({ name: key, limit: 100 }, callOptions(io));
  const found = items.filter(({ state }) => state !== 'destroyed');
  const [first, second] = found;
  if (first === undefined)
    throw new CommandError(EXIT.failed, `No key is named ${JSON.stringify(key)}: see \`kms keys list\`.`);
  if (second !== undefined)
    throw new CommandError(
      EXIT.failed,
      `Several keys are named ${JSON.stringify(key)}: give the id of one, such as ${found.map(({ keyId }) => keyId).join(' or ')}.`,
    );
  return first.keyId;
}
