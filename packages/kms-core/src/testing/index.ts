export * from './change-feed-contract.ts';
export * from './in-memory-store.ts';
export * from './map-cache.ts';
export * from './memory-cache-contract.ts';
export * from './shared-cache-contract.ts';
export * from './store-contract.ts';
export * from './store-samples.ts';
