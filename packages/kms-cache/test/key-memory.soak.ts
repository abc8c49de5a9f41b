import { keyMemoryRules } from './key-memory-rules.ts';

keyMemoryRules(100_000, 10_000);
