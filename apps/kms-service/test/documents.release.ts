import { describeDocuments } from './document-blocks.ts';
import { startEmbeddedService } from './local-service.ts';

describeDocuments(startEmbeddedService, { isNpx: () => true });
