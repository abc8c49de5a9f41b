export { dialectContract, type DialectUnderTest } from './dialect-contract.ts';
export { edgeUnderTest } from './edge-under-test.ts';
export { RawConnection } from './raw-call.ts';
