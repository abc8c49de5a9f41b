import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** As much as the threads of the service give way. */
const NICENESS = 10;
const PROGRAM = `require('node:os').setPriority(${NICENESS}); process.stdout.write('busy'); for (;;);`;

/**
 * Measures something while other programs keep all processors busy: as many as there are processors, each of which computes and gives
 * way as the threads of the service do. What calls wait then is what the machine and its scheduler make them wait, and not the service.
 */
export async function besideBusyProcessors<T>(measure: () => Promise<T>): Promise<T> {
  const programs = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ['--eval', PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  const ended = programs.map((program) => once(program, 'exit'));
  try {
    await Promise.all(programs.map((program) => once(program.stdout, 'data')));
    return await measure();
  } finally {
    for (const program of programs) program.kill('SIGKILL');
    await Promise.all(ended);
  }
}
