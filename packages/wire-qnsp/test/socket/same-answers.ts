import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Conversation, twoWays, type TwoWays } from './two-ways.ts';
import { conversations, type Subject } from './conversation-arbitrary.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly secure: boolean;
  /** How many conversations there are at most. */
  readonly runs: number;
  /** After how long no further one begins. */
  readonly limitMs: number;
}

/** Holds conversations with both ways of reading requests, and expects that nobody can tell them apart. */
export function sameAnswers({ seed, secure, runs, limitMs }: FuzzOptions): void {
  describe(`conversations of seed ${seed}, ${secure ? 'under TLS' : 'in the clear'}`, () => {
    let ways: TwoWays;
    let subject: Subject;
    beforeAll(async () => {
      ways = await twoWays(secure);
      subject = { ...ways, ciphertext: '' };
      const sealed = await ways.plain.converse(single(subject, 'encrypt', { plaintext: 'AA==' }));
      expect(sealed.answers).toContain('200 OK');
    });
    afterAll(() => ways.stop());

    test(
      'are answered alike',
      async () => {
        const before = { all: ways.plain.parsed(), parsed: ways.direct.parsed() };
        let held = 0;
        await fc.assert(
          fc.asyncProperty(conversations(subject), async (conversation) => {
            held += 1;
            const plain = await ways.plain.converse(conversation);
            expect(await ways.direct.converse(conversation), describeConversation(conversation)).toEqual(plain);
          }),
          { numRuns: runs, seed, interruptAfterTimeLimit: limitMs, endOnFailure: false },
        );
        const [all, parsed] = [ways.plain.parsed() - before.all, ways.direct.parsed() - before.parsed];
        process.stdout.write(
          `seed ${seed}: ${held} conversations, ${all} requests, ${all - parsed} of them past node:http\n`,
        );
        // Otherwise this would compare node:http with itself.
        expect(all - parsed).toBeGreaterThan(all / 8);
      },
      limitMs + 60_000,
    );
  });
}

function single({ token, keyId }: Subject, operation: string, body: object): Conversation {
  const text = JSON.stringify(body);
  const head = `POST /kms/v1/keys/${keyId}/${operation} HTTP/1.1\r\nhost: kms\r\nauthorization: Bearer ${token}\r\ncontent-length: ${text.length}\r\n\r\n`;
  return { pieces: [Buffer.from(head + text)], ends: true };
}

function describeConversation({ pieces, ends }: Conversation): string {
  return JSON.stringify({ ends, pieces: pieces.map((piece) => piece.toString('latin1')) }).slice(0, 4000);
}
