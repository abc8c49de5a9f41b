import { describe, expect, it } from 'vitest';
import { missingPackages } from './system-packages.ts';

const requirements = [
  { debianPackage: 'present', isInstalled: () => true },
  { debianPackage: 'absent', variable: 'TEST_ABSENT', isInstalled: () => false },
];

describe('missingPackages', () => {
  it('names what is not installed', () => {
    expect(missingPackages({}, requirements)).toEqual(['absent']);
  });

  it('asks for nothing that the environment names', () => {
    expect(missingPackages({ TEST_ABSENT: 'somewhere' }, requirements)).toEqual([]);
  });
});
