export * from './pglite-store.ts';
export * from './postgres-store.ts';
