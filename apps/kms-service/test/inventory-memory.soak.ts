import { inventoryMemoryRules } from './inventory-memory-rules.ts';

// As `docs/inventory.md` says it.
inventoryMemoryRules(1_000_000, 3_600_000);
