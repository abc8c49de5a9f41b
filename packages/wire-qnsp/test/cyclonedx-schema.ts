import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv, type ErrorObject } from 'ajv';
import addFormats from 'ajv-formats';

/** The JSON schemas of CycloneDX, as its library has them. */
const directory = join(
  dirname(fileURLToPath(import.meta.resolve('@cyclonedx/cyclonedx-library/package.json'))),
  'res/schema',
);
const schemaIn = (file: string) => JSON.parse(readFileSync(join(directory, file), 'utf8')) as object;

// Formats that only other kinds of documents use are not checked.
const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
// The types of the package are those of a module that is called by its name.
(addFormats as unknown as (ajv: Ajv) => void)(ajv);
// The schema names the others by their files.
for (const file of ['spdx.SNAPSHOT.schema.json', 'jsf-0.82.SNAPSHOT.schema.json'])
  ajv.addSchema(schemaIn(file), `http://cyclonedx.org/schema/${file}`);
const validate = ajv.compile(schemaIn('bom-1.6.SNAPSHOT.schema.json'));

/** What of a document is not as the schema of CycloneDX 1.6 has it. */
export function schemaErrors(document: unknown): readonly ErrorObject[] {
  validate(document);
  return validate.errors ?? [];
}
