export * from './in-memory-store.ts';
export * from './resident-keys-contract.ts';
export * from './root-provider-contract.ts';
export * from './store-contract.ts';
export * from './store-samples.ts';
export * from './failable-root.ts';
export * from './software-resident-keys.ts';
