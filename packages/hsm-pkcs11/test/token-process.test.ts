import { readFileSync } from 'node:fs';
import type { SoftHsmToken } from '@qnsp/test-harness';
import { expect, it } from 'vitest';
import { readHsmConfig } from '../src/configuration/hsm-config.ts';
import { TokenProcess } from '../src/connection/token-process.ts';
import { RefusedPins } from '../src/index.ts';
import { environmentOf, makeToken, PIN } from './tokens.ts';

const children = () => readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(/\s+/);

function processOf(token: SoftHsmToken, pin: string, refusedPins: RefusedPins): TokenProcess {
  const settings = readHsmConfig({ modulePath: token.modulePath, slot: 0, pin });
  const parts = { environment: environmentOf(token), refusedPins, taken: () => [], now: () => performance.now() };
  return new TokenProcess(settings, parts, 100);
}

it('leaves no process behind that was about to take over when the token refused a PIN', async () => {
  const token = await makeToken();
  const refusedPins = new RefusedPins();
  const subject = processOf(token, PIN, refusedPins);
  const before = children();
  const connected = await subject.connected();
  const checking = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  subject.checkEachConnection(async () => {
    checking.resolve();
    await goOn.promise;
  });
  const renewed = subject.renew(connected);
  await checking.promise;
  expect(children().filter((pid) => !before.includes(pid))).toHaveLength(2);
  await expect(processOf(token, 'wrong', refusedPins).connected()).rejects.toMatchObject({ problem: 'pin' });
  await expect(subject.loginAgain(connected)).rejects.toMatchObject({ problem: 'pin' });
  goOn.resolve();
  await renewed;
  await expect.poll(() => children().filter((pid) => !before.includes(pid))).toEqual([]);
  await subject.close();
});
