// Transit: the key service of HashiCorp Vault and OpenBao on the loopback, with real keys, which can be told to misbehave.

import { execFileSync } from 'node:child_process';
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** What it asks for, until `token` says otherwise. */
export const TOKEN = 'hvs.a-token-of-the-service';

/** Transit as its API is documented, over HTTP and with real keys: versions, prehashed input, DER signatures. */
export class Transit {
  readonly #folder: string;
  /** Of the key `ca`, oldest first. */
  readonly versions: KeyObject[] = [];
  readonly asked: string[] = [];
  token = TOKEN;
  behaviour: 'answer' | 'hang' | 'cut' | 'once-500' | 'sealed' | 'nonsense' = 'answer';
  readonly #server: Server = createServer(async (message, response) => {
    const { behaviour } = this;
    this.asked.push(`${message.method} ${message.url}`);
    const body = await bodyOf(message);
    if (behaviour === 'hang') return;
    if (behaviour === 'cut') return response.destroy();
    if (behaviour === 'once-500') this.behaviour = 'answer';
    const [status, answer] =
      behaviour === 'once-500'
        ? [500, {}]
        : behaviour === 'sealed'
          ? [503, { errors: ['Vault is sealed'] }]
          : behaviour === 'nonsense'
            ? [200, { data: {} }]
            : message.headers['x-vault-token'] !== this.token
              ? [403, { errors: ['permission denied'] }]
              : this.#answer(message.url ?? '', body);
    return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });

  /** Its keys pass through `folder`. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`; // on a port, not on a pipe
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(url: string, body: Record<string, unknown>): [number, object] {
    if (url === '/v1/transit/keys/ca') {
      const entries = this.versions.map((key, i) => [String(i + 1), { public_key: published(key) }]);
      return [200, { data: { keys: Object.fromEntries(entries), latest_version: this.versions.length } }];
    }
    const [, hash] = /^\/v1\/transit\/sign\/ca(?:\/sha2-(\d+))?$/.exec(url) ?? [undefined, 'none'];
    const key = this.versions[Number(body['key_version']) - 1];
    if (hash === 'none' || key === undefined) return [404, { errors: [] }];
    const input = Buffer.from(String(body['input']), 'base64');
    const signature =
      hash === undefined
        ? sign(null, input, key)
        : signDigest(join(this.#folder, 'signing.pem'), input, hash, key);
    return [200, { data: { signature: `vault:v${body['key_version']}:${signature.toString('base64')}` } }];
  }
}

/** OpenSSL signs a digest as it is, which node:crypto does not. */
function signDigest(file: string, digest: Buffer, hash: string, key: KeyObject): Buffer {
  writeFileSync(file, key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  const options = key.asymmetricKeyType === 'rsa' ? ['-pkeyopt', `digest:sha${hash}`] : [];
  return execFileSync('openssl', ['pkeyutl', '-sign', '-inkey', file, ...options], { input: digest });
}

function published(key: KeyObject): string {
  const publicKey = createPublicKey(key);
  if (key.asymmetricKeyType !== 'ed25519') return String(publicKey.export({ format: 'pem', type: 'spki' }));
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
}

async function bodyOf(message: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of message) text += chunk;
  return text === '' ? {} : JSON.parse(text);
}
