import type { KeyRecord } from './key.ts';

/** The fields of a record that a change sets; `state` and `revision` follow from the event. */
export type KeyChange = Partial<
  Omit<KeyRecord, 'tenantId' | 'keyId' | 'state' | 'revision' | 'createdAt' | 'updatedAt' | 'mac'>
>;
