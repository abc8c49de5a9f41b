export { openPgliteStore, type PgliteStoreOptions } from './pglite-store.ts';
export { type ConnectionUrl, parseConnectionUrl } from './postgres/connection-url.ts';
export type { DatabaseClock } from './postgres/database-clock.ts';
export type { PostgresStoreOptions, SslMode } from './postgres/options.ts';
export { openPostgresStore, type PostgresStorage } from './postgres-store.ts';
