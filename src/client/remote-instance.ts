// Remote instance: a Mayfly that a client knows by one URL; all else it says about itself.

import { SigningConfig, type TrustedRoot } from '@sigstore/protobuf-specs';
import { z } from 'zod';
import type { IssuerListing } from '../config/settings.ts';
import { SIGNING_CONFIG_TYPE } from '../trust/signing-config.ts';
import { ClientError } from './client-error.ts';
import { exchange, NoAnswer } from './exchange.ts';
import { readTrustedRoot } from './trusted-root-file.ts';

export const TRUST_DOCUMENTS = [
  'trusted_root.json',
  'signing_config.json',
  'client_trust_config.json',
] as const;

export type TrustDocument = (typeof TRUST_DOCUMENTS)[number];

const configuration = z.object({
  issuers: z.array(
    z.object({
      issuerUrl: z.string().optional(),
      wildcardIssuerUrl: z.string().optional(),
      audience: z.string().default(''),
      challengeClaim: z.string().default(''),
      spiffeTrustDomain: z.string().default(''),
      issuerType: z.string().default(''),
      subjectDomain: z.string().default(''),
      skipEmailVerification: z.boolean().default(false),
      binding: z.literal('audience-thumbprint').optional(),
    }),
  ),
});

export class RemoteInstance {
  /** Without a final slash. */
  readonly url: string;

  /**
   * Tokens go to the instance and trust comes from it, so http is for loopback only unless `allowHttp`.
   * Throws ClientError `usage` and `connection_insecure`.
   */
  constructor(text: string, allowHttp = false) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.username !== '')
      throw new ClientError(
        'usage',
        'an instance is named by the URL of its root, such as https://ca.example.com',
      );
    if (url.protocol === 'http:' && !isLoopback(url.hostname) && !allowHttp) {
      throw new ClientError(
        'connection_insecure',
        `${url.origin} is not on this machine, and over http anyone between could read the token and change the trusted keys: use https, or --allow-http where the network itself is trusted`,
      );
    }
    this.url = url.origin;
  }

  /** One of the trust documents, as text. Throws ClientError. */
  async document(name: TrustDocument): Promise<string> {
    const path = `/.well-known/mayfly/${name}`;
    const { status, text } = await this.#get(path);
    if (status === 200) return text;
    throw new ClientError(
      'instance_unusable',
      status === 404
        ? `${this.url} has no ${path}: it is no Mayfly instance, or one without trust documents`
        : `${this.url} answered ${status} for ${path}`,
    );
  }

  async trustedRoot(): Promise<TrustedRoot> {
    return readTrustedRoot(await this.document('trusted_root.json'), this.url);
  }

  async signingConfig(): Promise<SigningConfig> {
    const text = await this.document('signing_config.json');
    try {
      const config = SigningConfig.fromJSON(JSON.parse(text));
      if (config.mediaType === SIGNING_CONFIG_TYPE) return config;
    } catch {
      // told below
    }
    throw new ClientError('instance_unusable', `the signing configuration of ${this.url} cannot be read`);
  }

  /** The issuers whose tokens the instance takes. */
  async issuers(): Promise<readonly IssuerListing[]> {
    const { status, json } = await this.#get('/api/v2/configuration');
    const read = configuration.safeParse(json);
    if (status === 200 && read.success) return read.data.issuers.map(withoutUndefined);
    throw new ClientError('instance_unusable', `${this.url} does not say which issuers it trusts`);
  }

  /** Where a service of the signing configuration is for us: below our URL when the instance says it is its own. */
  reach(service: string, config: SigningConfig): string {
    const own = config.caUrls.find(({ url }) => service.startsWith(`${url}/`))?.url;
    return own === undefined ? service : this.url + service.slice(own.length);
  }

  async #get(path: string): ReturnType<typeof exchange> {
    try {
      return await exchange(this.url + path);
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      throw new ClientError(
        'instance_unreachable',
        `${cause.message}; name a running instance with --instance URL`,
        cause,
      );
    }
  }
}

type Parsed = z.infer<typeof configuration>['issuers'][number];

function withoutUndefined({ issuerUrl, wildcardIssuerUrl, binding, ...rest }: Parsed): IssuerListing {
  return {
    ...rest,
    ...(issuerUrl === undefined ? {} : { issuerUrl }),
    ...(wildcardIssuerUrl === undefined ? {} : { wildcardIssuerUrl }),
    ...(binding === undefined ? {} : { binding }),
  };
}

export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d+){3}$/.test(host)
  );
}
