import { canonicalJson, verifyExport } from '@qnsp/kms-audit';
import { eventHash, GENESIS_HASH } from '../src/event-hash.ts';
import { sampleEvent } from './audit-samples.ts';

/** The lines of a chain of this many events, which nobody signed. */
function* unsigned(count: number): Generator<string> {
  let previousHash = GENESIS_HASH;
  for (let sequence = 1; sequence <= count; sequence += 1) {
    const place = { sequence, previousHash, event: sampleEvent() };
    previousHash = eventHash(place);
    yield canonicalJson({ event: { ...place, hash: previousHash } });
  }
}

const report = await verifyExport(unsigned(Number(process.argv[2])), { publicKeysPem: [] });
process.stdout.write(JSON.stringify(report));
