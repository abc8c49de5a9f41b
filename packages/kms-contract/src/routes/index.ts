import type { z } from 'zod';
import type { Route } from '../route/route.ts';
import { activationRoutes } from './activation.ts';
import { approvalRoutes } from './approvals.ts';
import { auditRoutes } from './audit.ts';
import { encryptionRoutes } from './encryption.ts';
import { identityRoutes } from './identities.ts';
import { inventoryRoutes } from './inventory.ts';
import { keyEstablishmentRoutes } from './key-establishment.ts';
import { keyImportRoutes } from './key-import.ts';
import { keyWrappingRoutes } from './key-wrapping.ts';
import { keyRoutes } from './keys.ts';
import { lifecycleRoutes } from './lifecycle.ts';
import { migrationRoutes } from './migrations.ts';
import { policyRoutes } from './policies.ts';
import { randomRoutes } from './random.ts';
import { rotationScheduleRoutes } from './rotation-schedules.ts';
import { serviceRoutes } from './service.ts';
import { signatureRoutes } from './signatures.ts';
import { tenantRoutes } from './tenants.ts';
import { tokenRoutes } from './tokens.ts';

/**
 * The one route table: every operation of the service by its id. A path with fixed segments comes before one with a
 * parameter in the same place, so that a router that takes the first match is correct.
 */
export const ROUTES = {
  ...keyRoutes,
  ...lifecycleRoutes,
  ...migrationRoutes,
  ...policyRoutes,
  ...encryptionRoutes,
  ...signatureRoutes,
  ...keyWrappingRoutes,
  ...keyEstablishmentRoutes,
  ...keyImportRoutes,
  ...randomRoutes,
  ...rotationScheduleRoutes,
  ...tokenRoutes,
  ...identityRoutes,
  ...tenantRoutes,
  ...inventoryRoutes,
  ...approvalRoutes,
  ...auditRoutes,
  ...serviceRoutes,
  ...activationRoutes,
} as const;

/** The id of an operation that has a route. */
export type OperationId = keyof typeof ROUTES;
/** The route of an operation. */
export type RouteOf<Id extends OperationId> = (typeof ROUTES)[Id];

/** The operations that use a key; each also takes `{items: […]}`. */
export type CryptoOperationId = {
  [Id in OperationId]: RouteOf<Id>['crypto'] extends undefined ? never : Id;
}[OperationId];

/** The routes in the order of the table. */
export const ALL_ROUTES: readonly Route[] = Object.values(ROUTES);

/** What an operation returns, bytes as bytes. */
export type ResponseOf<Id extends OperationId> = Immutable<z.output<RouteOf<Id>['response']>>;

/** A type whose objects and lists nobody changes, so that what is already so fits it. */
export type Immutable<T> = T extends Uint8Array | Date
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Immutable<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]: Immutable<T[Name]> }
      : T;
