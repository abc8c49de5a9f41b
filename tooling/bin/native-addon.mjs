import { ensureDependencies } from '../launch/dependencies.mjs';
import { ensureNativeAddon } from '../launch/native-addon.mjs';

await ensureDependencies();
await ensureNativeAddon();
