import type { Finding } from './finding.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The part of the service that checks its host. */
export interface DiagnosisModule {
  diagnose(environment: Environment): Promise<readonly Finding[]>;
}

const MODULE: string = '@qnsp/kms-service/diagnosis';

/** Looks at the settings, the database, the HSMs and the Redis of a service on this host, where one is installed. */
export async function checkHost(environment: Environment): Promise<readonly Finding[]> {
  // A user who names a service elsewhere asks about that one.
  if ((environment['KMS_URL'] ?? '') !== '')
    return [{ check: 'host', status: 'skipped', message: 'KMS_URL names a service; unset it to look at this host' }];
  const diagnosis = await load();
  if (diagnosis === undefined)
    return [{ check: 'host', status: 'skipped', message: 'the service is not installed here; run this on its host' }];
  return diagnosis.diagnose(environment);
}

async function load(): Promise<DiagnosisModule | undefined> {
  try {
    // A test holds the module to this type.
    return (await import(MODULE)) as DiagnosisModule;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
