import { describe, expect, it } from 'vitest';
import { missingPackages } from './system-packages.ts';

const requirements = [
  { debianPackage: 'present', isInstalled: () => true },
  { debianPackage: 'absent', variable: 'TEST_ABSENT', isInstalled: () => false },
  { debianPackage: 'large', isInstalled: () => false, optional: true as const },
];

describe('missingPackages', () => {
  it('names what is not installed', () => {
    expect(missingPackages({}, requirements)).toEqual({ required: ['absent'], optional: ['large'] });
  });

  it('asks for nothing that the environment names', () => {
    expect(missingPackages({ TEST_ABSENT: 'somewhere' }, requirements)).toEqual({ required: [], optional: ['large'] });
  });
});
