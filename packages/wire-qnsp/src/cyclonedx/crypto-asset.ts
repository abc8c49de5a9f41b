/** A component of CycloneDX 1.6 that is a cryptographic asset. Its JSON schema says what is in it, and a test checks that. */
export interface CryptoAsset {
  readonly type: 'cryptographic-asset';
  /** The name by which other components refer to it, once in a document. */
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version?: string;
  readonly cryptoProperties: {
    readonly assetType: 'algorithm' | 'related-crypto-material' | 'certificate' | 'protocol';
    readonly oid?: string;
    readonly algorithmProperties?: object;
    readonly relatedCryptoMaterialProperties?: object;
    readonly certificateProperties?: object;
    readonly protocolProperties?: object;
  };
  readonly properties?: readonly Property[];
}

/** What CycloneDX has no place for. */
export interface Property {
  readonly name: string;
  readonly value: string;
}

/** Properties of those values that are there. */
export function propertiesOf(values: Readonly<Record<string, string | number | boolean | null>>): readonly Property[] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === null ? [] : [{ name: `qnsp:${name}`, value: String(value) }],
  );
}
