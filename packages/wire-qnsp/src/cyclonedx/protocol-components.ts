import type { DeploymentProtocol } from './deployment-protocol.ts';
import { type CryptoAsset, propertiesOf } from './crypto-asset.ts';

/** The security strength categories of the groups of TLS that withstand a quantum computer: those of their ML-KEM (FIPS 203). */
const ML_KEM_CATEGORIES = { '512': 1, '768': 3, '1024': 5 } as const;

/** The components of a protocol of the deployment: itself, the groups that it agrees keys by, and its certificates. None for the clear. */
export function protocolComponents(protocol: DeploymentProtocol, place: number): readonly CryptoAsset[] {
  if (protocol.protocol === 'none') return [];
  const { use, groups = [], certificates = [], mechanisms, provider, verification, version } = protocol;
  const ref = `protocol/${use}/${place}`;
  const agreed = groups.map((group) => groupComponent(ref, group));
  const shown = certificates.map((certificate, index) =>
    certificateComponent(`${ref}/certificate/${index}`, certificate),
  );
  const refs = [...agreed, ...shown].map((each) => each['bom-ref']);
  const itself: CryptoAsset = {
    type: 'cryptographic-asset',
    'bom-ref': ref,
    name: `${protocol.protocol === 'tls' ? 'TLS' : 'PKCS #11'} (${use})`,
    cryptoProperties: {
      assetType: 'protocol',
      protocolProperties: {
        type: protocol.protocol === 'tls' ? 'tls' : 'other',
        ...(version === undefined ? {} : { version }),
        ...(refs.length === 0 ? {} : { cryptoRefArray: refs }),
      },
    },
    properties: propertiesOf({
      use,
      provider: provider ?? null,
      verification: verification ?? null,
      mechanisms: mechanisms?.join(' ') ?? null,
    }),
  };
  return [...agreed, ...shown, itself];
}

function groupComponent(ref: string, group: string): CryptoAsset {
  const [, size] = /MLKEM(512|768|1024)$/i.exec(group) ?? [];
  const category = size === undefined ? 0 : ML_KEM_CATEGORIES[size as keyof typeof ML_KEM_CATEGORIES];
  return {
    type: 'cryptographic-asset',
    'bom-ref': `${ref}/group/${group}`,
    name: group,
    cryptoProperties: {
      assetType: 'algorithm',
      algorithmProperties: {
        primitive: category === 0 ? 'key-agree' : 'kem',
        parameterSetIdentifier: group,
        cryptoFunctions: category === 0 ? ['keygen', 'keyderive'] : ['keygen', 'encapsulate', 'decapsulate'],
        nistQuantumSecurityLevel: category,
      },
    },
  };
}

type Certificate = NonNullable<DeploymentProtocol['certificates']>[number];

function certificateComponent(ref: string, certificate: Certificate): CryptoAsset {
  return {
    type: 'cryptographic-asset',
    'bom-ref': ref,
    name: certificate.subject === '' ? certificate.serialNumber : certificate.subject,
    cryptoProperties: {
      assetType: 'certificate',
      certificateProperties: {
        subjectName: certificate.subject,
        issuerName: certificate.issuer,
        notValidBefore: certificate.notBefore,
        notValidAfter: certificate.notAfter,
        certificateFormat: 'X.509',
      },
    },
    properties: propertiesOf({
      serialNumber: certificate.serialNumber,
      publicKey: certificate.publicKey,
      signature: certificate.signature,
    }),
  };
}
