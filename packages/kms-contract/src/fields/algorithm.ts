import { type Algorithm, KmsError, resolveAlgorithm } from '@qnsp/kms-core';
import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import { QUANTUM_SAFE } from '@qnsp/kms-core/internal';
import { z } from 'zod';
import { inside } from './inside.ts';
import { onTheWire } from './wire-schema.ts';

const NAMES = {
  type: 'string',
  maxLength: 64,
  description: 'The platform id, the name in the standard or a usual spelling, in upper or lower case.',
  examples: ALGORITHMS.map(({ id }) => id),
};

/** An algorithm by any of its names in JSON, its registry row internally. */
export const algorithm = onTheWire(
  z.codec(z.string().max(64), inside<Algorithm>(), { decode: resolve, encode: ({ id }) => id }),
  NAMES,
);

/** The algorithm of a new key; an empty name is the same as none, `null` inside. */
export const chosenAlgorithm = onTheWire(
  z.codec(z.string().max(64), inside<Algorithm | null>(), {
    decode: (name, payload) => (name === '' ? null : resolve(name, payload)),
    encode: (value) => value?.id ?? '',
  }),
  { ...NAMES, description: `${NAMES.description} If absent or empty, the default algorithm of the deployment.` },
);

/** What keys are migrated to: `quantum-safe`, or an algorithm by any of its names. */
export const migrationTarget = onTheWire(
  z.codec(z.string().max(64), inside<Algorithm | typeof QUANTUM_SAFE>(), {
    decode: (name, payload) => (name === QUANTUM_SAFE ? name : resolve(name, payload)),
    encode: (target) => (target === QUANTUM_SAFE ? target : target.id),
  }),
  {
    ...NAMES,
    description: `\`${QUANTUM_SAFE}\`, which is the post-quantum default for what each key does, or an algorithm: the platform id, the name in the standard or a usual spelling, in upper or lower case.`,
    examples: [QUANTUM_SAFE, 'dilithium-5'],
  },
);

function resolve(name: string, { issues }: z.core.ParsePayload): Algorithm {
  try {
    return resolveAlgorithm(name);
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    issues.push({
      code: 'custom',
      message: `must be one of ${ALGORITHMS.map(({ id }) => id).join(', ')}`,
      input: undefined,
    });
    return z.NEVER;
  }
}

/** The platform id of an algorithm in an answer. */
export const algorithmId = onTheWire(z.string(), {
  type: 'string',
  description: 'The platform id of the algorithm.',
  examples: ['aes-256-gcm', 'kyber-768', 'dilithium-3'],
});
