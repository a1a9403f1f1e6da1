// Example: a test of a project that signs and verifies, against a whole instance of its own.

import { equal, throws } from 'node:assert/strict';
import { bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import { SigningConfig, TrustedRoot } from '@sigstore/protobuf-specs';
import { bundleBuilderFromSigningConfig } from '@sigstore/sign';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { startInstance } from 'mayfly';

await using instance = await startInstance();

const artifact = Buffer.from('what is released');
const builder = bundleBuilderFromSigningConfig({
  signingConfig: SigningConfig.fromJSON(instance.signingConfig),
  identityProvider: { getToken: () => instance.token({ email: 'release@example.com' }) },
  bundleType: 'messageSignature',
});
const bundle = bundleToJSON(await builder.create({ data: artifact }));

const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(instance.trustedRoot)), {
  tlogThreshold: 0,
});
const policy = (email: string) => ({
  subjectAlternativeName: new RegExp(`^${RegExp.escape(email)}$`),
  extensions: { issuer: instance.issuer },
});
const signed = toSignedEntity(bundleFromJSON(bundle), artifact);

const signer = verifier.verify(signed, policy('release@example.com'));
equal(signer.identity?.subjectAlternativeName, 'release@example.com');
throws(() => verifier.verify(signed, policy('someone-else@example.com')));

console.log('signed and verified');
