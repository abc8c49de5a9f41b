export { HsmConfigurationError, type HsmConfigurationProblem } from './configuration/configuration-error.ts';
export { RefusedPins } from './connection/refused-pins.ts';
export { HSM_NUMBERS, HSM_TEXTS, type HsmConfig } from './configuration/hsm-config.ts';
export { type Hsm, type HsmStatus, openHsm, type OpenHsmOptions } from './open-hsm.ts';
export type { TokenIdentity } from './protocol/messages.ts';
export { type MixedRandomOptions, mixRandom } from './random/mix-random.ts';
