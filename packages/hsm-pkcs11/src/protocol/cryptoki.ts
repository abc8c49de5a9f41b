/** The constants of PKCS #11 v2.40 and v3.0 (pkcs11t.h) that this package uses, and no others. */
export const CKO = { publicKey: 2, privateKey: 3, secretKey: 4 } as const;

export const CKK = { rsa: 0x00, ec: 0x03, genericSecret: 0x10, aes: 0x1f, ecEdwards: 0x40 } as const;

export const CKA = {
  class: 0x000,
  token: 0x001,
  private: 0x002,
  label: 0x003,
  keyType: 0x100,
  id: 0x102,
  sensitive: 0x103,
  encrypt: 0x104,
  decrypt: 0x105,
  wrap: 0x106,
  unwrap: 0x107,
  sign: 0x108,
  signRecover: 0x109,
  verify: 0x10a,
  verifyRecover: 0x10b,
  derive: 0x10c,
  modulus: 0x120,
  modulusBits: 0x121,
  publicExponent: 0x122,
  valueLen: 0x161,
  extractable: 0x162,
  local: 0x163,
  neverExtractable: 0x164,
  alwaysSensitive: 0x165,
  modifiable: 0x170,
  copyable: 0x171,
  ecParams: 0x180,
  ecPoint: 0x181,
} as const;

export const CKM = {
  rsaKeyPairGen: 0x0000,
  rsaPkcs: 0x0001,
  rsaPkcsOaep: 0x0009,
  rsaPkcsPss: 0x000d,
  sha256: 0x0250,
  sha256Hmac: 0x0251,
  sha384Hmac: 0x0261,
  sha512Hmac: 0x0271,
  sha3x256Hmac: 0x02b1,
  genericSecretKeyGen: 0x0350,
  ecKeyPairGen: 0x1040,
  ecdsa: 0x1041,
  ecEdwardsKeyPairGen: 0x1055,
  eddsa: 0x1057,
  aesKeyGen: 0x1080,
  aesEcb: 0x1081,
  aesGcm: 0x1087,
  /** AWS CloudHSM: AES-GCM with a nonce that the HSM makes and puts before the ciphertext. */
  cloudHsmAesGcm: 0x80001087,
} as const;

export const CKF = { tokenInitialized: 0x400, osLockingOk: 0x2, rwSession: 0x2, serialSession: 0x4 } as const;

/** CKR_* that mean something to this package. */
export const CKR = {
  hostMemory: 0x02,
  slotIdInvalid: 0x03,
  generalError: 0x05,
  functionFailed: 0x06,
  attributeTypeInvalid: 0x12,
  deviceError: 0x30,
  deviceMemory: 0x31,
  deviceRemoved: 0x32,
  aeadDecryptFailed: 0x35,
  encryptedDataInvalid: 0x40,
  encryptedDataLenRange: 0x41,
  functionCanceled: 0x50,
  keyHandleInvalid: 0x60,
  objectHandleInvalid: 0x82,
  operationActive: 0x90,
  operationNotInitialized: 0x91,
  pinIncorrect: 0xa0,
  pinInvalid: 0xa1,
  pinLenRange: 0xa2,
  pinExpired: 0xa3,
  pinLocked: 0xa4,
  sessionClosed: 0xb0,
  sessionCount: 0xb1,
  sessionHandleInvalid: 0xb3,
  templateInconsistent: 0xd1,
  tokenNotPresent: 0xe0,
  tokenNotRecognized: 0xe1,
  userAlreadyLoggedIn: 0x100,
  userNotLoggedIn: 0x101,
  userPinNotInitialized: 0x102,
  cryptokiNotInitialized: 0x190,
  cryptokiAlreadyInitialized: 0x191,
} as const;

export const CKU_USER = 1;
