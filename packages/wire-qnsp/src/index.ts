export { answerRoute, logFailure } from './answer-route.ts';
export { addExplorer } from './explorer/explorer.ts';
export { addFrontPage } from './explorer/front-page.ts';
export { type HotRoutes, makeHotRoutes } from './hot-routes.ts';
export { answerProblem } from './problem-answer.ts';
export type { QnspParts, ServiceFacts } from './handlers/service-facts.ts';
