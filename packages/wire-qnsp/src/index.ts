export { addExplorer } from './explorer/explorer.ts';
export { addFrontPage } from './explorer/front-page.ts';
export { qnspDialect } from './qnsp-dialect.ts';
export type { QnspTarget } from './qnsp-target.ts';
export type { ServiceFacts } from './handlers/service-facts.ts';
