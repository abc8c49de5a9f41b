import { KmsError, resolveAlgorithm } from '@qnsp/kms-core';
import { createKey, getKey, listKeys, updateKey } from '@qnsp/kms-core/internal';
import { awsError, invalid, notOffered } from '../errors/aws-error.ts';
import { keyMetadata } from '../keys/key-metadata.ts';
import { KEY_SPECS, type KeyUsage, SPEC_NAMES, USAGE_NAMES, USAGES } from '../keys/key-specs.ts';
import { inWordsOfAws, namedKey, stateRefused } from '../keys/named-key.ts';
import { keyArn, keyIdIn, noSuchKey } from '../names/arn.ts';
import { operation, requireOffered } from '../request/aws-call.ts';
import { ANY, FLAG, KEY_ID, LIMIT, MARKER, oneOf, required, USE } from '../request/shapes.ts';

const SPEC = oneOf(SPEC_NAMES);
/** A text of metadata has no more. */
const MOST_DESCRIPTION = 1024;
const DESCRIPTION = { kind: 'text', max: 8192 } as const;

interface CreateInput {
  readonly KeySpec?: string;
  readonly CustomerMasterKeySpec?: string;
  readonly KeyUsage?: string;
}

/** The algorithm and the purpose of a new key. */
function wantedKey({ KeySpec, CustomerMasterKeySpec, KeyUsage }: CreateInput) {
  if (KeySpec !== undefined && CustomerMasterKeySpec !== undefined && KeySpec !== CustomerMasterKeySpec)
    throw invalid(
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
    );
  const spec = KeySpec ?? CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT';
  if (spec !== 'SYMMETRIC_DEFAULT' && KeyUsage === undefined)
    throw invalid('You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.');
  // One of USAGE_NAMES, by its shape.
  const usage = (KeyUsage ?? 'ENCRYPT_DECRYPT') as KeyUsage;
  const entry = KEY_SPECS.find((each) => each.spec === spec && each.usage === usage);
  if (entry === undefined) throw invalid(`KeyUsage ${usage} is not compatible with KeySpec ${spec}`);
  if (entry.core === undefined) throw notOffered(`A key with the spec ${spec} and the usage ${usage}`);
  return { algorithm: resolveAlgorithm(entry.core), purpose: USAGES[usage].purpose };
}

function requireDescription(text: string): void {
  if (text.length > MOST_DESCRIPTION)
    throw invalid(`A description has up to ${MOST_DESCRIPTION} characters in this service.`);
}

const createOperation = operation({
  action: 'CreateKey',
  operation: 'createKey',
  members: {
    Policy: ANY,
    Description: DESCRIPTION,
    KeyUsage: oneOf(USAGE_NAMES),
    CustomerMasterKeySpec: SPEC,
    KeySpec: SPEC,
    Origin: oneOf(['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE']),
    CustomKeyStoreId: ANY,
    BypassPolicyLockoutSafetyCheck: FLAG,
    Tags: ANY,
    MultiRegion: FLAG,
    XksKeyId: ANY,
  },
  handle: async (call, input) => {
    const { algorithm, purpose } = wantedKey(input);
    const { Origin = 'AWS_KMS', Description: description = '', Tags = [] } = input;
    if (Origin !== 'AWS_KMS') throw notOffered(`The origin ${Origin}`);
    if (input.MultiRegion === true) throw notOffered('MultiRegion');
    for (const name of ['Policy', 'CustomKeyStoreId', 'XksKeyId'] as const)
      if (input[name] !== undefined) throw notOffered(name);
    if (!Array.isArray(Tags) || Tags.length > 0) throw notOffered('Tags');
    requireDescription(description);
    const metadata = description === '' ? {} : { metadata: { description } };
    const key = await inWordsOfAws(call, '*', () => createKey(call.op, { algorithm, purpose, ...metadata }));
    return { KeyMetadata: keyMetadata(key, call.place) };
  },
});

const describeOperation = operation({
  action: 'DescribeKey',
  operation: 'getKey',
  members: { KeyId: required(KEY_ID), GrantTokens: USE.GrantTokens },
  handle: async (call, input) => {
    requireOffered(input);
    const keyId = keyIdIn(input.KeyId, call.place, true);
    const arn = keyArn(call.place, keyId);
    const key = await inWordsOfAws(call, arn, () => getKey(call.op, { keyId }));
    if (key.state === 'destroyed') throw noSuchKey(arn);
    return { KeyMetadata: keyMetadata(key, call.place) };
  },
});

/** As many as AWS lists without a limit, and as many as the core lists at most. */
const PAGE = { default: 100, maximum: 200 };

const listOperation = operation({
  action: 'ListKeys',
  operation: 'listKeys',
  members: { Limit: LIMIT, Marker: MARKER },
  handle: async (call, { Limit = PAGE.default, Marker }) => {
    const limit = Math.min(Limit, PAGE.maximum);
    const page = await inWordsOfAws(call, '*', async () => {
      try {
        return await listKeys(call.op, Marker === undefined ? { limit } : { limit, cursor: Marker });
      } catch (error) {
        // The limit is within its bounds, so the marker is what is wrong.
        if (!KmsError.is(error) || error.code !== 'BAD_REQUEST') throw error;
        throw awsError('BAD_REQUEST', 'InvalidMarkerException', 'The marker is not one of this service.', error);
      }
    });
    const keys = page.items.filter(({ state }) => state !== 'destroyed');
    return {
      Keys: keys.map(({ keyId }) => ({ KeyId: keyId, KeyArn: keyArn(call.place, keyId) })),
      ...(page.nextCursor === null ? {} : { NextMarker: page.nextCursor }),
      Truncated: page.nextCursor !== null,
    };
  },
});

const updateDescriptionOperation = operation({
  action: 'UpdateKeyDescription',
  operation: 'updateKey',
  members: { KeyId: required(KEY_ID), Description: required(DESCRIPTION) },
  handle: async (call, input) => {
    const { keyId, arn, record } = await namedKey(call, input.KeyId, 'manage');
    if (record.destroyAt !== null) throw stateRefused(arn, 'deactivated');
    requireDescription(input.Description);
    const { description: _, ...others } = record.metadata;
    const metadata = input.Description === '' ? others : { ...others, description: input.Description };
    // Of two changes at once the later one would take back what the first one did to the other metadata.
    const ifRevision = record.revision;
    await inWordsOfAws(call, arn, () => updateKey(call.op, { keyId, metadata, ifRevision }));
    return undefined;
  },
});

/** What makes keys and shows them. */
export const KEYS = [createOperation, describeOperation, listOperation, updateDescriptionOperation];
