import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_LIMIT_MS = 10 * 60_000;
const POLL_MS = 200;

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function tryTake(directory) {
  try {
    mkdirSync(directory);
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
  writeFileSync(join(directory, 'pid'), String(process.pid));
  return true;
}

function holderOf(directory) {
  try {
    return Number(readFileSync(join(directory, 'pid'), 'utf8'));
  } catch (error) {
    // The holder has made the directory but not written its id yet, or has just let go.
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Runs `work` while no other process of this machine runs work under the same lock directory. */
export async function exclusively(directory, work) {
  const deadline = Date.now() + WAIT_LIMIT_MS;
  while (!tryTake(directory)) {
    const holder = holderOf(directory);
    if (holder !== undefined && holder !== 0 && !isRunning(holder)) rmSync(directory, { recursive: true, force: true });
    if (Date.now() > deadline)
      throw new Error(`Gave up waiting for the lock ${directory}; remove it if nothing uses it.`);
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
