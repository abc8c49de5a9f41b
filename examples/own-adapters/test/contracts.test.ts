import { declareContract } from '@qnsp/kms-core/testing';
import * as vitest from 'vitest';
import { CONTRACTS } from '../src/contracts.ts';

for (const contract of CONTRACTS) declareContract(contract, vitest);
