import { inventoryMemoryRules } from './inventory-memory-rules.ts';

inventoryMemoryRules(20_000, 300_000);
