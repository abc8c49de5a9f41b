export { ERROR_STATUS } from '@qnsp/kms-contract';
export { addExplorer } from './explorer/explorer.ts';
export { addFrontPage } from './explorer/front-page.ts';
export { kmsHttp, type KmsHttp, type KmsHttpOptions } from './kms-http.ts';
export type { Authenticate } from './own-callers.ts';
export { qnspDialect } from './qnsp-dialect.ts';
export type { QnspTarget } from './qnsp-target.ts';
export type { DeploymentProtocol } from './cyclonedx/deployment-protocol.ts';
export type { OfferedFacts, ServiceFacts } from './handlers/service-facts.ts';
