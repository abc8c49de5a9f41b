import type { ResponseOf } from '@qnsp/kms-contract';

/** A protocol that protects a way to or from the service. */
export type DeploymentProtocol = NonNullable<ResponseOf<'getInventory'>['protocols']>[number];
