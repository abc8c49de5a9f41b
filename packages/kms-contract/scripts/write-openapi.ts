import { writeFileSync } from 'node:fs';
import { openApiDocument } from '../src/index.ts';

// The published document names the version of the API, not of a release, so that a release does not change it.
writeFileSync(
  new URL('../openapi.json', import.meta.url),
  `${JSON.stringify(openApiDocument({ version: 'v1' }), null, 2)}\n`,
);
