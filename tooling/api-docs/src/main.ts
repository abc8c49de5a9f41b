// npm run docs: writes the reference of the published packages to dist/reference, and fails if it lacks anything.
import { join } from 'node:path';
import { Application, Converter, LogLevel } from 'typedoc';
import { problemsOf } from './problems.ts';
import { publishedEntries, workspaceRoot } from './published.ts';

const out = join(workspaceRoot, 'dist/reference');
const entries = publishedEntries();
const app = await Application.bootstrap({
  name: 'QNSP KMS',
  entryPoints: entries.map(({ path }) => path),
  tsconfig: join(import.meta.dirname, '../tsconfig.reference.json'),
  basePath: workspaceRoot,
  readme: join(workspaceRoot, 'docs/embedding.md'),
  disableSources: true,
  excludePrivate: true,
  excludeExternals: true,
  githubPages: false,
  logLevel: LogLevel.Warn,
  treatWarningsAsErrors: true,
  validation: { notExported: false, invalidLink: true, invalidPath: false, rewrittenLink: true, notDocumented: false },
});
// A module is called what an import calls it.
app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
  for (const module of project.children ?? []) {
    const id = project.getSymbolIdFromReflection(module);
    const entry = entries.find(
      ({ packageName, path }) => id?.packageName === packageName && path.endsWith(`/${id.packagePath}`),
    );
    if (entry !== undefined) module.name = entry.name;
  }
});
const project = await app.convert();
if (project === undefined) process.exit(1);
app.validate(project);
const problems = problemsOf(project);
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0 || app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
await app.generateDocs(project, out);
process.stdout.write(`${out}/index.html\n`);
