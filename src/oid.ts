// OID: every object identifier that Mayfly writes or reads, in dotted form.

declare const oidBrand: unique symbol;
export type Oid = string & { readonly [oidBrand]: true };

const oid = (dotted: string): Oid => dotted as Oid;

// X.509 extensions (RFC 5280 section 4.2.1)
export const subjectKeyIdentifier = oid('2.5.29.14');
export const keyUsage = oid('2.5.29.15');
export const subjectAltName = oid('2.5.29.17');
export const basicConstraints = oid('2.5.29.19');
export const authorityKeyIdentifier = oid('2.5.29.35');
export const extKeyUsage = oid('2.5.29.37');

export const nameConstraints = oid('2.5.29.30');
export const certificatePolicies = oid('2.5.29.32');
export const policyMappings = oid('2.5.29.33');
export const policyConstraints = oid('2.5.29.36');
export const inhibitAnyPolicy = oid('2.5.29.54');

// Extended key usages (RFC 5280 section 4.2.1.12)
export const anyExtendedKeyUsage = oid('2.5.29.37.0');
export const ekuCodeSigning = oid('1.3.6.1.5.5.7.3.3');
export const ekuTimeStamping = oid('1.3.6.1.5.5.7.3.8');

// Certificate transparency (RFC 6962 sections 3.1 and 3.3)
export const ctSctList = oid('1.3.6.1.4.1.11129.2.4.2');
export const ctPoison = oid('1.3.6.1.4.1.11129.2.4.3');
/** Extended key usage of a Precertificate Signing Certificate. */
export const ctPrecertificateSigning = oid('1.3.6.1.4.1.11129.2.4.4');

// Sigstore's arc (fulcio docs/oid-info.md)
export const fulcioArc = '1.3.6.1.4.1.57264.1';
export const fulcioOtherName = oid(`${fulcioArc}.7`);

/** The extension 1.3.6.1.4.1.57264.1.N. */
export const fulcioExtension = (n: number): Oid => oid(`${fulcioArc}.${n}`);

// Public keys (RFC 3279, RFC 5480, RFC 8410)
export const extensionRequest = oid('1.2.840.113549.1.9.14');
export const ecPublicKey = oid('1.2.840.10045.2.1');
export const curveP256 = oid('1.2.840.10045.3.1.7');
export const curveP384 = oid('1.3.132.0.34');
export const curveP521 = oid('1.3.132.0.35');
export const rsaEncryption = oid('1.2.840.113549.1.1.1');
export const ed25519 = oid('1.3.101.112');

// Public keys that are known and never accepted (RFC 5480 section 2.1.1.1, RFC 3279 section 2.3.2, RFC 8410)
export const curveP224 = oid('1.3.132.0.33');
export const dsa = oid('1.2.840.10040.4.1');
export const x25519 = oid('1.3.101.110');

// Signatures (RFC 5758, RFC 4055, RFC 8410)
export const ecdsaWithSha1 = oid('1.2.840.10045.4.1');
export const ecdsaWithSha256 = oid('1.2.840.10045.4.3.2');
export const ecdsaWithSha384 = oid('1.2.840.10045.4.3.3');
export const ecdsaWithSha512 = oid('1.2.840.10045.4.3.4');
export const sha1WithRsa = oid('1.2.840.113549.1.1.5');
export const rsaPss = oid('1.2.840.113549.1.1.10');
export const sha256WithRsa = oid('1.2.840.113549.1.1.11');
export const sha384WithRsa = oid('1.2.840.113549.1.1.12');
export const sha512WithRsa = oid('1.2.840.113549.1.1.13');

// Names (RFC 5280 appendix A.1)
export const commonName = oid('2.5.4.3');
export const organizationName = oid('2.5.4.10');

// Hashes (RFC 5754 section 2)
export const sha256 = oid('2.16.840.1.101.3.4.2.1');
export const sha384 = oid('2.16.840.1.101.3.4.2.2');
export const sha512 = oid('2.16.840.1.101.3.4.2.3');

// Signed messages and timestamps (RFC 5652 sections 5.1 and 11, RFC 3161 section 2.4.2, RFC 5035 section 3)
export const signedData = oid('1.2.840.113549.1.7.2');
export const contentType = oid('1.2.840.113549.1.9.3');
export const messageDigest = oid('1.2.840.113549.1.9.4');
export const signingTime = oid('1.2.840.113549.1.9.5');
export const tstInfo = oid('1.2.840.113549.1.9.16.1.4');
export const signingCertificateV2 = oid('1.2.840.113549.1.9.16.2.47');

/** The timestamp policy of sigstore/timestamp-authority, which states nothing beyond RFC 3161. */
export const sigstoreTimestampPolicy = oid('1.3.6.1.4.1.57264.2');

// Encrypted private keys (RFC 8018 appendix A.4, RFC 7914 section 7, RFC 3565 section 4.1)
export const pbes2 = oid('1.2.840.113549.1.5.13');
export const scrypt = oid('1.3.6.1.4.1.11591.4.11');
export const aes256Cbc = oid('2.16.840.1.101.3.4.1.42');
