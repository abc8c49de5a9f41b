import { after, before, describe, it } from 'node:test';
import { declareContract } from '../../src/testing/index.ts';
import { contractOfArguments } from './stores.ts';

declareContract(contractOfArguments(), { describe, it, beforeAll: before, afterAll: after });
