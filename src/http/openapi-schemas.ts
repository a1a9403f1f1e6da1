// OpenAPI schemas: the bodies of the REST API as JSON Schema (draft 2020-12), the one place that describes them.

export type Schema = Readonly<Record<string, unknown>>;

/** All members but those named in `optional` are required; unknown ones may come with a later version. */
function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, ...(required.length > 0 && { required }) };
}

const list = (items: Schema, description?: string): Schema => ({
  type: 'array',
  items,
  ...(description !== undefined && { description }),
});
const text = (description?: string): Schema => ({
  type: 'string',
  ...(description !== undefined && { description }),
});
const base64 = (description: string): Schema => ({ type: 'string', contentEncoding: 'base64', description });
const instant = (description: string): Schema => ({
  type: 'string',
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$',
  description,
});
const flag = (description?: string): Schema => ({
  type: 'boolean',
  ...(description !== undefined && { description }),
});
const count = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
const constant = (value: string): Schema => ({ const: value });
export const reference = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

const chain = object({
  certificates: list(text('PEM.'), 'The certificate first, the root last.'),
});

const signingRequest = object(
  {
    credentials: object(
      { oidcIdentityToken: text('A JWT of a trusted issuer. Or in the header Authorization.') },
      ['oidcIdentityToken'],
    ),
    publicKeyRequest: object({
      publicKey: object(
        { algorithm: text('Not needed: the key says it.'), content: text('SubjectPublicKeyInfo in PEM.') },
        ['algorithm'],
      ),
      proofOfPossession: base64(
        "Signature by the key over the token's challenge: its email for an issuer of type email, else its sub.",
      ),
    }),
    certificateSigningRequest: base64(
      'PKCS #10 in PEM; instead of publicKeyRequest. Its names are not read.',
    ),
  },
  ['credentials', 'publicKeyRequest', 'certificateSigningRequest'],
);

const errorInfo = object({
  '@type': constant('type.googleapis.com/google.rpc.ErrorInfo'),
  reason: { type: 'string', pattern: '^[A-Z][A-Z_]*$', description: 'Stable, for programs.' },
  domain: constant('mayfly'),
  metadata: { type: 'object', additionalProperties: { type: 'string' } },
});
const badRequest = object({
  '@type': constant('type.googleapis.com/google.rpc.BadRequest'),
  fieldViolations: list(object({ field: text(), description: text('What would be accepted.') })),
});
const localized = object({
  '@type': constant('type.googleapis.com/google.rpc.LocalizedMessage'),
  locale: text(),
  message: text('What would be accepted.'),
});

const validFor = object({ start: instant('From then on.'), end: instant('Until then.') }, ['end']);
const trustedChain = object({
  subject: object({ organization: text(), commonName: text() }),
  uri: text(),
  certChain: object({ certificates: list(object({ rawBytes: base64('DER.') })) }),
  validFor,
});
const service = object({ url: text(), majorApiVersion: { type: 'integer' }, validFor, operator: text() });
const trustedLog = object({
  baseUrl: text(),
  hashAlgorithm: text(),
  publicKey: object({ rawBytes: base64('SubjectPublicKeyInfo.'), keyDetails: text(), validFor }),
  logId: object({ keyId: base64('SHA-256 of the key.') }),
});

const describedLog = {
  origin: text('First line of its checkpoints.'),
  key: base64('SubjectPublicKeyInfo.'),
  log_id: base64('SHA-256 of the key.'),
  monitoring_url: text(),
  submission_url: text(),
};
const logEntry = {
  leaf_input: base64('MerkleTreeLeaf (RFC 6962 section 3.4).'),
  extra_data: base64('PrecertChainEntry (RFC 6962 section 3.2).'),
};
const path = list(base64('A hash.'));

export const SCHEMAS = {
  SigningRequest: signingRequest,
  SigningRequestV1: object(
    {
      publicKey: object(
        { algorithm: text('Not needed.'), content: base64('SubjectPublicKeyInfo, PEM or DER.') },
        ['algorithm'],
      ),
      signedEmailAddress: base64("Signature by the key over the token's challenge."),
      certificateSigningRequest: base64('PKCS #10 in PEM; instead of both.'),
    },
    ['publicKey', 'signedEmailAddress', 'certificateSigningRequest'],
  ),
  SigningCertificate: {
    oneOf: [
      object({ signedCertificateEmbeddedSct: object({ chain }) }),
      object({
        signedCertificateDetachedSct: object({
          chain,
          signedCertificateTimestamp: text('Empty: without a log there is none.'),
        }),
      }),
    ],
    description: 'The second form where no log is configured.',
  },
  TrustBundle: object({ chains: list(chain, 'All that are trusted, oldest first.') }),
  Configuration: object({
    issuers: list({
      ...object(
        {
          issuerUrl: text(),
          wildcardIssuerUrl: text('Each * stands for letters, digits, - and _.'),
          audience: text(),
          challengeClaim: text('Whose value the key signs as proof.'),
          spiffeTrustDomain: text(),
          issuerType: text(),
          subjectDomain: text(),
          skipEmailVerification: flag(),
          binding: {
            ...constant('audience-thumbprint'),
            description:
              'A token is for one key: its audience is this one, +, and the base64url SHA-256 of the key in DER.',
          },
        },
        ['issuerUrl', 'wildcardIssuerUrl', 'binding'],
      ),
      oneOf: [{ required: ['issuerUrl'] }, { required: ['wildcardIssuerUrl'] }],
    }),
  }),
  Status: {
    ...object({
      code: { type: 'integer', minimum: 1, maximum: 16, description: 'Of gRPC.' },
      message: text(),
      details: list({ oneOf: [errorInfo, badRequest, localized] }, 'Empty where errors are terse.'),
    }),
    description: 'google.rpc.Status. A refusal by a rate limit has the members of RFC 9457 as well.',
  },
  Liveness: object({ status: constant('SERVING') }),
  Readiness: object({ status: constant('READY') }),
  Unreadiness: object({
    status: constant('NOT_READY'),
    reasons: list(
      object({ component: { enum: ['draining', 'signer', 'authority', 'log', 'workers'] }, reason: text() }),
    ),
  }),
  TrustedRoot: object({
    mediaType: text(),
    tlogs: list(trustedLog),
    certificateAuthorities: list(trustedChain),
    ctlogs: list(trustedLog),
    timestampAuthorities: list(trustedChain),
  }),
  SigningConfig: object({
    mediaType: text(),
    caUrls: list(service),
    oidcUrls: list(service),
    rekorTlogUrls: list(service),
    tsaUrls: list(service),
    tsaConfig: object({ selector: text() }),
  }),
  ClientTrustConfig: object({
    mediaType: text(),
    trustedRoot: reference('TrustedRoot'),
    signingConfig: reference('SigningConfig'),
  }),
  TimestampRequest: object(
    {
      artifactHash: base64('Digest of the artifact.'),
      hashAlgorithm: { enum: ['sha256', 'sha384', 'sha512'] },
      certificates: flag('Whether the answer holds the chain.'),
      nonce: { type: 'integer' },
      tsaPolicyOID: text(),
    },
    ['certificates', 'nonce', 'tsaPolicyOID'],
  ),
  ExplainRequest: object({ token: text('A JWT, whose last part may be left out: it is not looked at.') }),
  Explanation: object(
    {
      accepted: flag('Given that signature, key and limits are in order.'),
      issuer: object({ name: text(), url: text(), type: text(), audiences: list(text()) }),
      steps: list(
        object(
          {
            step: { enum: ['token', 'issuer', 'audience', 'times', 'identity', 'policy'] },
            passed: flag(),
            reason: text(),
            field: text(),
            message: text(),
            hint: text(),
          },
          ['reason', 'field', 'message', 'hint'],
        ),
      ),
      policy: object({
        mode: { enum: ['enforce', 'audit'] },
        rules: list(object({ name: text(), rule: text(), holds: flag(), message: text() }, ['message'])),
      }),
      certificate: object({
        subjectAltName: object({ kind: text(), value: text() }),
        challenge: text(),
        extensions: list(object({ oid: text(), title: text(), value: text() })),
      }),
    },
    ['issuer', 'policy', 'certificate'],
  ),
  LogDescription: object(
    {
      ...describedLog,
      retired: list(object({ ...describedLog, state: { type: 'object' } }), 'Those before it.'),
    },
    ['retired'],
  ),
  LogListEntry: object({
    description: text(),
    log_id: base64('SHA-256 of the key.'),
    key: base64('SubjectPublicKeyInfo.'),
    mmd: count('Seconds.'),
    submission_url: text(),
    monitoring_url: text(),
    log_type: text(),
  }),
  TreeHead: object({
    tree_size: count('Entries.'),
    timestamp: count('Milliseconds.'),
    sha256_root_hash: base64('Root of the tree.'),
    tree_head_signature: base64('RFC 6962 section 3.5.'),
  }),
  Consistency: object({ consistency: path }),
  InclusionProof: object({ leaf_index: count('From 0.'), audit_path: path }),
  Entries: object({ entries: list(object(logEntry)) }),
  EntryAndProof: object({ ...logEntry, audit_path: path }),
  Roots: object({ certificates: list(base64('DER.')) }),
  PreChain: object({
    chain: list(base64('DER.'), 'The precertificate first, up to a certificate of a configured CA.'),
  }),
  SignedTimestamp: object({
    sct_version: { const: 0 },
    id: base64('SHA-256 of the log key.'),
    timestamp: count('Milliseconds.'),
    extensions: base64('leaf_index.'),
    signature: base64('RFC 6962 section 3.2.'),
  }),
} as const satisfies Readonly<Record<string, Schema>>;

export type SchemaName = keyof typeof SCHEMAS;
