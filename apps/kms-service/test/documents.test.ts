import { describeDocuments } from './document-blocks.ts';
import { startLocalService } from './local-service.ts';

// The first thing that a reader tries is tried as readers do it; `documents.release.ts` does so with every document.
describeDocuments(startLocalService, { isNpx: (document) => document === 'README.md' });
