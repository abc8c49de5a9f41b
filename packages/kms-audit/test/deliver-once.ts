import { deliveryClient } from '@qnsp/kms-audit';
import { sampleExport } from './audit-samples.ts';

// Delivers a batch to the address that is given, and writes what became of it. The receiver expects another batch.
const [, , url = '', caPem = ''] = process.argv;
const [batch] = (await sampleExport([1])).batches;
if (batch === undefined) throw new Error('the sample has a batch');
const deliver = deliveryClient({ url: new URL(url), bearerToken: 'the-token', allowedHosts: new Set(), caPem });
process.stdout.write(JSON.stringify(await deliver(batch, new AbortController().signal)));
