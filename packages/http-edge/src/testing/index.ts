export { type CallToSign, dialectContract, type DialectUnderTest } from './dialect-contract.ts';
export { edgeUnderTest } from './edge-under-test.ts';
export { HTTP_LIMITS } from './http-limits.ts';
export { ParsedRequests } from './parsed-requests.ts';
export { RawConnection } from './raw-call.ts';
