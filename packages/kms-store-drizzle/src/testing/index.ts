export { insertKeys } from './insert-keys.ts';
