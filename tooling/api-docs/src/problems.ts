import { type DeclarationReflection, type ProjectReflection, ReflectionKind } from 'typedoc';

/** The interfaces whose methods are operations: each of them has an example. */
const OPERATIONS = ['CallerKms', 'OwnKms'];

/** What the reference lacks: exports and methods without a comment, and operations without an example. */
export function problemsOf(project: ProjectReflection): readonly string[] {
  const found = (project.children ?? []).flatMap((entry) =>
    (entry.children ?? []).flatMap((exported) => [
      ...undocumented(exported).map((name) => `${entry.name}: ${name} has no comment`),
      ...withoutExample(exported).map((name) => `${entry.name}: ${name} has no @example`),
    ]),
  );
  // What two entries export is a problem once.
  const missing = OPERATIONS.filter((name) =>
    project.getReflectionsByKind(ReflectionKind.Interface).every((each) => each.name !== name),
  );
  return [...found, ...missing.map((name) => `${name} is not in the reference`)];
}

function undocumented(exported: DeclarationReflection): readonly string[] {
  // The entry that it is exported from first documents it.
  if (exported.kind === ReflectionKind.Reference) return [];
  const methods = (exported.children ?? []).filter(
    (member) =>
      isFunction(member) &&
      member.kind !== ReflectionKind.Constructor &&
      member.inheritedFrom === undefined &&
      !member.name.startsWith('['),
  );
  return [
    ...(isDocumented(exported) ? [] : [exported.name]),
    ...(exported.kind === ReflectionKind.Class ? methods : [])
      .filter((method) => !isDocumented(method))
      .map((method) => `${exported.name}.${method.name}`),
  ];
}

function withoutExample(exported: DeclarationReflection): readonly string[] {
  if (!OPERATIONS.includes(exported.name)) return [];
  return (exported.children ?? [])
    .filter((method) => !(method.signatures ?? []).some((signature) => signature.comment?.getTag('@example')))
    .map((method) => `${exported.name}.${method.name}`);
}

function isFunction(reflection: DeclarationReflection): boolean {
  return reflection.signatures !== undefined || signaturesOfType(reflection).length > 0;
}

function isDocumented(reflection: DeclarationReflection): boolean {
  const signatures = [...(reflection.signatures ?? []), ...signaturesOfType(reflection)];
  return (
    reflection.hasComment() ||
    signatures.some((signature) => signature.hasComment()) ||
    reflection.getSignature?.hasComment() === true
  );
}

function signaturesOfType({ type }: DeclarationReflection) {
  return type?.type === 'reflection' ? (type.declaration.signatures ?? []) : [];
}
