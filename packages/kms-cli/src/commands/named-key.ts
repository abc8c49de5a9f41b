import { isUuid, type Key, type KmsClient } from '@qnsp/kms-client';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import type { CommandIo } from '../terminal/io.ts';
import { callOptions } from '../connection/connect.ts';

/** How many of several keys are named. */
const SHOWN = 3;

/** The help text for options that name a key. */
export const KEY_HELP = 'key id, or a name that only one key has';

/**
 * The id of a key that somebody named by its id or by its name. Destroyed keys are found by their ids alone.
 *
 * @throws CommandError when no key or several have the name.
 */
export async function keyIdOf(kms: KmsClient, key: string, io: CommandIo): Promise<string> {
  if (isUuid(key)) return key;
  const found: Key[] = [];
  // All of them: a page may contain no live one, or only one of two.
  for await (const one of kms.allKeys({ name: key, limit: 100 }, callOptions(io)))
    if (one.state !== 'destroyed') found.push(one);
  const [first, second] = found;
  if (first === undefined)
    throw new CommandError(EXIT.failed, `No key is named ${JSON.stringify(key)}: see \`kms keys list\`.`);
  if (second !== undefined)
    throw new CommandError(
      EXIT.failed,
      `Several keys are named ${JSON.stringify(key)}: give the id of one, such as ${found
        .slice(0, SHOWN)
        .map(({ keyId }) => keyId)
        .join(' or ')}.`,
    );
  return first.keyId;
}
