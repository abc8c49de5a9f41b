import type { ServerResponse } from 'node:http';

/**
 * Sends a body a piece at a time, the next one when the client has taken those before. One that cannot be made breaks the connection
 * off, so that nobody takes what came for the whole. Never rejects.
 */
export async function sendPieces(outgoing: ServerResponse, pieces: AsyncIterable<string>): Promise<void> {
  if (outgoing.req.method === 'HEAD') {
    outgoing.end();
    return;
  }
  try {
    for await (const piece of pieces) {
      if (outgoing.destroyed) return;
      if (!outgoing.write(piece)) await taken(outgoing);
    }
    outgoing.end();
  } catch (error) {
    outgoing.destroy(error instanceof Error ? error : new Error('The answer could not be made.', { cause: error }));
  }
}

/** Resolves when the client has taken what was written, or is gone. */
function taken(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      outgoing.off('drain', goOn);
      outgoing.off('close', goOn);
      resolve();
    };
    outgoing.once('drain', goOn);
    outgoing.once('close', goOn);
    if (outgoing.destroyed) goOn();
  });
}
