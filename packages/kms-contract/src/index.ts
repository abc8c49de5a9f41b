// The public surface: the route table, what reads requests by it and what writes answers.
export {
  type Address,
  BASE_PATH,
  type ContractSettings,
  type CryptoTraits,
  type EmptySchema,
  type HttpMethod,
  type Route,
  type RouteDefinition,
  type RouteExample,
  type RouteScope,
  type Tag,
} from './route/route.ts';
export { ALL_ROUTES, type Immutable, type OperationId, type ResponseOf, type RouteOf, ROUTES } from './routes/index.ts';
export { bodyLimit, LIMITS } from './bounds/limits.ts';
export {
  ERROR_CODES,
  ERROR_STATUS,
  type Failure,
  GATEWAY_ERROR_STATUS,
  itemProblem,
  type ItemProblem,
  type Occurrence,
  problem,
  type Problem,
} from './errors/errors.ts';
export { type ActivationErrorCode, type ActivationFailure, activationProblem } from './errors/activation-problem.ts';
export { type FieldNaming, type JsonObject, type Names, SYNONYMS } from './route/field-aliases.ts';
export { type Batch, type BatchItem, openBatch, parseBatch } from './calls/batch.ts';
export {
  DEFAULT_SETTINGS,
  isBatch,
  type ParamsOf,
  type ParsedRequest,
  parseRequest,
  type RequestOf,
} from './calls/parse.ts';
export { type RawRequest } from './calls/raw-request.ts';
export { type AnswerOf, answersKey, decodeAnswer, encodeAnswer, encodeAnswerText, entityTag } from './calls/answer.ts';
export { type ChangedKey } from './answers/key.ts';
export { nameAsSent } from './calls/issues.ts';
export { type EncodedRequest, encodeRequest, type RequestInput } from './calls/request.ts';
export { fromBase64, toBase64 } from './fields/bytes.ts';
export { durationSeconds } from './fields/duration.ts';
export { openApiDocument } from './openapi/document.ts';

// What a client needs from the core to understand answers and errors.
export { type Algorithm, KmsError, type KmsErrorCode, resolveAlgorithm } from '@qnsp/kms-core';
export { ALGORITHMS } from '@qnsp/kms-core/algorithms';
