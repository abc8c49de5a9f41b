import type { CommandIo } from './io.ts';

const WIDTH = 30;
const PAUSE_MS = 100;
const MIB = 2 ** 20;

/** Shows the progress of a long piece of work. */
export interface Progress {
  /** @param bytes how much is done */
  readonly at: (bytes: number) => void;
  /** Leaves the line empty again. */
  readonly end: () => void;
}

/** A bar on standard error, where that is a terminal; otherwise nothing. Without a total it only counts. */
export function progressBar(io: CommandIo, total: number | undefined): Progress {
  if (io.pipes?.errorIsTerminal !== true) return { at: () => undefined, end: () => undefined };
  const start = performance.now();
  let shown = start;
  return {
    at(bytes) {
      const now = performance.now();
      if (now - shown < PAUSE_MS && bytes !== total) return;
      shown = now;
      const rate = bytes / MIB / Math.max((now - start) / 1000, 0.001);
      io.err(`\r\u001B[K${total === undefined ? '' : bar(bytes, total)}${mebibytes(bytes)}, ${rate.toFixed(0)} MiB/s`);
    },
    end: () => {
      io.err('\r\u001B[K');
    },
  };
}

function bar(bytes: number, total: number): string {
  const share = total === 0 ? 1 : Math.min(bytes / total, 1);
  const full = Math.round(share * WIDTH);
  return `[${'#'.repeat(full)}${'-'.repeat(WIDTH - full)}] ${String(Math.floor(share * 100)).padStart(3)} %  `;
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
