import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPkcs11Module } from './pkcs11-module.ts';
import { tempDir } from './temp-dir.ts';

const run = promisify(execFile);

export interface SoftHsmTokenOptions {
  readonly label: string;
  readonly pin: string;
  readonly soPin: string;
}

export interface SoftHsmToken {
  readonly modulePath: string;
  /** The value of SOFTHSM2_CONF with which the module sees this token, and no other. */
  readonly configPath: string;
  readonly slotId: number;
  readonly label: string;
  readonly pin: string;
  remove(): Promise<void>;
}

/** A new token in its own directory. */
export async function initSoftHsmToken(options: SoftHsmTokenOptions): Promise<SoftHsmToken> {
  const modulePath = findPkcs11Module();
  if (modulePath === undefined) throw new Error('SoftHSM is not installed');
  const home = tempDir('qnsp-hsm-');
  const tokens = join(home.path, 'tokens');
  const configPath = join(home.path, 'softhsm2.conf');
  mkdirSync(tokens, { mode: 0o700 });
  writeFileSync(configPath, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);

  const { stdout } = await run(
    'softhsm2-util',
    ['--init-token', '--free', '--label', options.label, '--pin', options.pin, '--so-pin', options.soPin],
    { env: { PATH: process.env['PATH'], SOFTHSM2_CONF: configPath } },
  );
  const slot = /slot (\d+)\s*$/.exec(stdout)?.[1];
  if (slot === undefined) throw new Error(`softhsm2-util did not say which slot it used: ${stdout}`);
  return {
    modulePath,
    configPath,
    slotId: Number(slot),
    label: options.label,
    pin: options.pin,
    remove: () => home.remove(),
  };
}
