import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { findExecutable } from './executable.ts';
import { initSoftHsmToken } from './softhsm-token.ts';

it.skipIf(findExecutable('softhsm2-util') === undefined)(
  'makes a token that a PKCS #11 client sees and can log in to',
  async () => {
    const token = await initSoftHsmToken({ label: 'harness', pin: '1234', soPin: '5678' });
    const ask = (args: readonly string[]): string =>
      execFileSync('pkcs11-tool', ['--module', token.modulePath, '--slot', String(token.slotId), ...args], {
        env: { PATH: process.env['PATH'], SOFTHSM2_CONF: token.configPath },
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });

    expect(ask(['--list-token-slots'])).toMatch(/token label\s*: harness/);
    const created = ask(['--login', '--pin', token.pin, '--keygen', '--key-type', 'AES:32', '--label', 'probe']);
    expect(created).toContain('probe');
    expect(() => ask(['--login', '--pin', '9999', '--list-objects'])).toThrow('CKR_PIN_INCORRECT');

    await token.remove();
    expect(existsSync(token.configPath)).toBe(false);
  },
);
