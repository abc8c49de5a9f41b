import type { Dialect } from '@qnsp/http-edge';
import { dialectContract } from '@qnsp/http-edge/testing';
import { KmsError } from '@qnsp/kms-core';
import { expect, it } from 'vitest';
import { drawer } from './dialects.ts';

const sound = drawer.dialect;

/** Faults of a dialect, and the first rule that each of them breaks. */
const MUTANTS: Readonly<Record<string, { readonly rule: RegExp; readonly mutate: Partial<Dialect> }>> = {
  'answers without the id of the request': {
    rule: /^does a call, with one event/,
    mutate: {
      perform: async (call, body) => {
        const { headers, ...answer } = await sound.perform(call, body);
        return { ...answer, headers: { 'content-type': String(headers['content-type']) } };
      },
    },
  },
  'asks for nothing but the credential': {
    rule: /^leaves one event, one line and one mark of a call that its credential does not permit/,
    mutate: {
      perform: async (call, body) => {
        try {
          return await sound.perform(call, body);
        } catch {
          const headers = { 'content-type': 'application/json', 'x-request-id': call.requestId };
          return { status: 200, headers, body: '{}' };
        }
      },
    },
  },
  'fails inside when the body is no JSON': {
    rule: /^leaves one event, one line and one mark of a call with bad input/,
    mutate: {
      perform: (call, body) => {
        JSON.parse(body.toString());
        return sound.perform(call, body);
      },
    },
  },
  'takes unknown paths for encryptions': {
    rule: /^refuses malformed percent-encoding/,
    mutate: { targetOf: () => sound.targetOf({ url: '/drawer/seal' } as never) },
  },
  'takes any size of body': {
    rule: /^refuses a body that is larger/,
    mutate: {
      targetOf: (incoming) => {
        const target = sound.targetOf(incoming);
        return 'kind' in target ? { ...target, kind: { ...target.kind, bodyBytes: 64 * 1024 * 1024 } } : target;
      },
    },
  },
  'says what failed inside': {
    rule: /^has an answer for every error/,
    mutate: {
      problem: (failure, failed) => {
        const { code } = failure;
        const answer = sound.problem(failure, failed);
        return code === 'INTERNAL_ERROR'
          ? { ...answer, body: JSON.stringify({ oops: code, say: 'a message' }) }
          : answer;
      },
    },
  },
  'answers an error with success': {
    rule: /^leaves one event, one line and one mark of a call that its credential does not permit/,
    mutate: { problem: (failure, failed) => ({ ...sound.problem(failure, failed), status: 200 }) },
  },
  'heeds the tenant of the credential alone': {
    rule: /^refuses a credential of another tenant/,
    mutate: {
      perform: (call, body) => {
        delete call.incoming.headers['x-drawer-owner'];
        return sound.perform(call, body);
      },
    },
  },
  'puts the plaintext into its errors': {
    rule: /^leaves one event, one line and one mark of a call/,
    mutate: {
      perform: async (call, body) => {
        try {
          return await sound.perform(call, body);
        } catch (cause) {
          const { content } = JSON.parse(body.toString()) as { content: string };
          throw new KmsError('INTERNAL_ERROR', Buffer.from(content, 'hex').toString(), { cause });
        }
      },
    },
  },
};

/** The first rule that a dialect breaks, by its name; `undefined` for a sound one. */
async function brokenRule(dialect: Dialect): Promise<string | undefined> {
  const contract = dialectContract('the dialect', { ...drawer, dialect });
  try {
    for (const { name, run } of contract.cases) if (await fails(run)) return name;
    return undefined;
  } finally {
    await contract.close();
  }
}

async function fails(run: () => Promise<void>): Promise<boolean> {
  try {
    await run();
    return false;
  } catch {
    return true;
  }
}

it('holds for the dialect that all mutants are made of', async () => {
  expect(await brokenRule(sound)).toBeUndefined();
});

it.each(Object.entries(MUTANTS))('is broken by a dialect that %s', async (_, { rule, mutate }) => {
  expect(await brokenRule({ ...sound, ...mutate })).toMatch(rule);
});
