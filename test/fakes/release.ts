// Release: what a client signs that configures itself from the documents of an instance, and how it is verified by those.

import { type Bundle, bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import { SigningConfig, TrustedRoot } from '@sigstore/protobuf-specs';
import { bundleBuilderFromSigningConfig } from '@sigstore/sign';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { send } from './client.ts';
import type { FakeIssuer } from './issuer.ts';

const ARTIFACT = Buffer.from('what is released');

/** One of the trust documents that are served now. */
export async function trustDocument(url: string, name: string): Promise<unknown> {
  return (await send(url, `/.well-known/mayfly/${name}`)).json;
}

/** `publicUrl` is what the documents call the instance at `url`. */
export async function signRelease(url: string, publicUrl: string, people: FakeIssuer): Promise<Bundle> {
  const text = JSON.stringify(await trustDocument(url, 'signing_config.json'));
  const builder = bundleBuilderFromSigningConfig({
    signingConfig: SigningConfig.fromJSON(JSON.parse(text.replaceAll(publicUrl, url))),
    identityProvider: { getToken: () => people.sign() },
    bundleType: 'messageSignature',
  });
  const made = await builder.create({ data: ARTIFACT, type: 'text/plain' });
  return bundleFromJSON(JSON.parse(JSON.stringify(bundleToJSON(made))));
}

/** Throws unless certificate, SCT and timestamp are of what `root` trusts. */
export function verifyRelease(bundle: Bundle, root: unknown, people: FakeIssuer): void {
  const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(root)), {
    tlogThreshold: 0,
    ctlogThreshold: 1,
    timestampThreshold: 1,
  });
  verifier.verify(toSignedEntity(bundle, ARTIFACT), { extensions: { issuer: people.url } });
}
