import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('vitest') || specifier.startsWith('@vitest')) throw new Error(`${specifier} was imported`);
    return next(specifier, context);
  },
});
