import type { Algorithm } from '@qnsp/kms-core';
import { algorithmFacts, type AlgorithmUse } from '@qnsp/kms-core/internal';
import type { ProtectionLevel } from '@qnsp/kms-core/ports';
import type { CryptoAsset } from './crypto-asset.ts';

/** What a bill of materials says about the module that computes in software. */
export interface SoftwareModule {
  /** Whether it is the FIPS provider of OpenSSL. Whether that is validated is its operator's to say. */
  readonly isFipsProvider: boolean;
}

/** By what keys name an algorithm: one way of using it, in software or in an HSM. */
export function algorithmRef({ id }: Pick<Algorithm, 'id'>, use: AlgorithmUse, place: ProtectionLevel): string {
  return `algorithm/${id}/${use.primitive}/${place}`;
}

/** An algorithm as keys use it. */
export function algorithmComponent(
  algorithm: Algorithm,
  use: AlgorithmUse,
  place: ProtectionLevel,
  module: SoftwareModule,
): CryptoAsset {
  const { nistCategory, classicalBits, parameterSet, curve } = algorithmFacts(algorithm);
  return {
    type: 'cryptographic-asset',
    'bom-ref': algorithmRef(algorithm, use, place),
    name: use.name,
    cryptoProperties: {
      assetType: 'algorithm',
      algorithmProperties: {
        primitive: use.primitive,
        parameterSetIdentifier: parameterSet,
        ...(curve === undefined ? {} : { curve }),
        executionEnvironment: place === 'hsm' ? 'hardware' : 'software-plain-ram',
        // Nothing here knows what was validated.
        certificationLevel: [place === 'software' && !module.isFipsProvider ? 'none' : 'unknown'],
        ...(use.mode === undefined ? {} : { mode: use.mode }),
        ...(use.padding === undefined ? {} : { padding: use.padding }),
        cryptoFunctions: use.functions,
        classicalSecurityLevel: classicalBits,
        nistQuantumSecurityLevel: nistCategory,
      },
      ...(use.oid === undefined ? {} : { oid: use.oid }),
    },
    properties: [
      { name: 'qnsp:algorithm', value: algorithm.id },
      { name: 'qnsp:standard', value: algorithm.reference },
      { name: 'qnsp:quantumSafe', value: String(algorithm.quantumSafe) },
      { name: 'qnsp:fipsApproved', value: String(algorithm.fipsApproved) },
    ],
  };
}
