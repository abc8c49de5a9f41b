import {
  type FaultyModule,
  faultyModule,
  initSoftHsmToken,
  programEnvironment,
  type SoftHsmToken,
} from '@qnsp/test-harness';
import { afterEach } from 'vitest';
import { type Hsm, type HsmConfig, openHsm, type OpenHsmOptions, RefusedPins } from '../src/index.ts';

export const PIN = '1234-user';
const SO_PIN = '5678-officer';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

/** A token of its own for a test. */
export async function makeToken(label = 'test'): Promise<SoftHsmToken> {
  const token = await initSoftHsmToken({ label, pin: PIN, soPin: SO_PIN });
  cleanups.push(() => token.remove());
  return token;
}

/** The faulty module in front of SoftHSM. */
export function makeFaultyModule(token: SoftHsmToken): FaultyModule {
  const module = faultyModule(token.modulePath);
  cleanups.push(() => module.remove());
  return module;
}

/** The environment in which a module sees this token and no other. */
export function environmentOf(token: SoftHsmToken, module?: FaultyModule): NodeJS.ProcessEnv {
  return { ...programEnvironment(), SOFTHSM2_CONF: token.configPath, ...module?.environment };
}

/** Opens a token as an operator would, with a memory of refused PINs of its own. */
export async function open(
  token: SoftHsmToken,
  config: Partial<HsmConfig> = {},
  options: OpenHsmOptions & { readonly module?: FaultyModule } = {},
): Promise<Hsm> {
  const { module, ...rest } = options;
  const hsm = await openHsm(
    { modulePath: module?.path ?? token.modulePath, slot: 0, pin: token.pin, poolSize: 2, ...config },
    { environment: environmentOf(token, module), refusedPins: new RefusedPins(), ...rest },
  );
  cleanups.push(() => hsm.close());
  return hsm;
}

/** An opened token with a root in it. */
export async function openWithRoot(...args: Parameters<typeof open>): Promise<Hsm> {
  const hsm = await open(...args);
  await hsm.createRoot();
  return hsm;
}
