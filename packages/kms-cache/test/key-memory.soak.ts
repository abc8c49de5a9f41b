import { keyMemoryRules } from './key-memory-rules.ts';

// As `docs/architecture.md` says it.
keyMemoryRules(100_000, 10_000, 2 / 3);
