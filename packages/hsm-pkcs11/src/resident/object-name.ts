import { randomBytes } from 'node:crypto';
import { isUuid } from '@qnsp/kms-core';
import { type ResidentKeyName, uuidToBytes } from '@qnsp/kms-core/ports';

/** The label of every object of this service begins with it. */
export const LABEL_PREFIX = 'qnsp-kms/v1/';
const UNIQUE_BYTES = 12;

/** CKA_LABEL: `qnsp-kms/v1/<tenant>/<key>/<version>`. */
export function objectLabel(name: ResidentKeyName): string {
  return `${LABEL_PREFIX}${name.tenantId}/${name.keyId}/${name.version}`;
}

/** The name that a label stands for; null for labels that this service did not write. */
export function nameOfLabel(label: string): ResidentKeyName | null {
  if (!label.startsWith(LABEL_PREFIX)) return null;
  const [tenantId, keyId, version, ...rest] = label.slice(LABEL_PREFIX.length).split('/');
  if (tenantId === undefined || keyId === undefined || version === undefined || rest.length > 0) return null;
  if (!isUuid(tenantId) || !isUuid(keyId) || !/^[1-9]\d{0,9}$/.test(version)) return null;
  return { tenantId, keyId, version: Number(version) };
}

/**
 * CKA_ID, and the handle of the port: `key(16) ‖ version(4) ‖ random(12)`. The random part keeps two nodes that make the
 * same version at the same time from making objects that nobody can tell apart.
 */
export function newObjectId(name: ResidentKeyName): Buffer {
  const version = Buffer.alloc(4);
  version.writeUInt32BE(name.version);
  return Buffer.concat([uuidToBytes(name.keyId), version, randomBytes(UNIQUE_BYTES)]);
}
