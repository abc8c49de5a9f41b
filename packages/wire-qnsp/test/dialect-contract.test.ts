import { dialectContract } from '@qnsp/http-edge/testing';
import { drawer, drawerDialect, qnsp } from './dialects.ts';

dialectContract('of the contract', qnsp);
dialectContract('of drawers', drawer);
// Both on one port: neither notices the other.
dialectContract('of the contract, beside another', { ...qnsp, dialects: [drawerDialect, qnsp.dialect] });
dialectContract('of drawers, beside another', { ...drawer, dialects: [drawerDialect, qnsp.dialect] });
