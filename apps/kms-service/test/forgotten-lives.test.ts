import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { createDatabase, findPostgresBinaries, tempDir, type TestDatabase } from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { compose } from '../src/compose.ts';
import { readConfig } from '../src/config/env.ts';
import { makeLogs } from '../src/http/logger.ts';
import { makeReadiness } from '../src/readiness.ts';
import { settlePlace } from '../src/restored-copy.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const state = tempDir('qnsp-state-');
const otherState = tempDir('qnsp-state-');
const rootKey = randomBytes(32).toString('base64');
const { log } = makeLogs({ logLevel: 'silent' });
let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(async () => {
  await database.drop();
  await Promise.all([state.remove(), otherState.remove()]);
});

/** One life of a node, from its start until it remembers what it committed. Answers whether it may serve. */
async function live(stateDir = state.path): Promise<boolean> {
  const config = readConfig({
    DATABASE_URL: database.url,
    KMS_ROOT_KEY: rootKey,
    KMS_STATE_DIR: stateDir,
    LOG_LEVEL: 'silent',
  });
  const composition = await compose(config, log);
  try {
    const serves = await settlePlace(composition, undefined, makeReadiness(), log);
    if (serves)
      await vi.waitFor(() => expect(files(stateDir)).toContain(`${composition.commits?.told.known.holder}.commits`), {
        timeout: 20_000,
      });
    return serves;
  } finally {
    await composition.close();
  }
}

function files(directory: string): readonly string[] {
  return readdirSync(directory);
}

function psql(statement: string): string {
  const args = ['--quiet', '--no-align', '--tuples-only', `--dbname=${database.url}`, `--command=${statement}`];
  const { stdout, stderr } = spawnSync(join(findPostgresBinaries() ?? '', 'psql'), args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.trim();
}

/** Lets time go by for everything that is remembered until now. */
function pass(days: number): void {
  for (const directory of [state.path, otherState.path]) {
    for (const name of files(directory)) {
      const path = join(directory, name);
      const then = new Date(statSync(path).mtimeMs - days * DAY_MS);
      utimesSync(path, then, then);
    }
  }
  psql(`update kms.commit_marks set at = at - interval '${days} days'`);
}

test('a life that the database has forgotten does not speak against it, on a node that is started again or was off', async () => {
  expect(await live()).toBe(true);
  for (const days of [1, 29, 31, 61]) {
    pass(days);
    // The node that has the database forget need not be the one that remembers.
    expect(await live(otherState.path), `started after ${days} days`).toBe(true);
    expect(await live(), `started again after ${days} days`).toBe(true);
  }
  expect(psql('select count(distinct holder) from kms.commit_marks')).toBe('2');
  expect(files(state.path)).toHaveLength(1);
});

test('a life that ended a while ago still speaks against a database that lacks its commits', async () => {
  expect(await live()).toBe(true);
  pass(29);
  psql('update kms.commit_marks set count = 0');
  expect(await live()).toBe(false);
});
