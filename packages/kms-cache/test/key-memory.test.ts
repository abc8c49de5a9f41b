import { keyMemoryRules } from './key-memory-rules.ts';

keyMemoryRules(10_000, 1000, 0.6);
