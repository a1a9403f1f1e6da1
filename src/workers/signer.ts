// Signer: the Worker that holds the private keys, for a front that must not see them; it has no route and no URL.

import { WorkerEntrypoint } from 'cloudflare:workers';
import type { Bytes } from '../encoding/bytes.ts';
import type { Signer, SigningAlgorithm } from '../key/signer.ts';
import { importSecret } from './signer-choice.ts';
import type { KeyName, SignerService } from './signer-service.ts';
import type { KeySecrets } from './variables.ts';

/** Imported once for each isolate; a WebCrypto key is bound to no request. */
const signers = new Map<KeyName, Signer>();

export default class SignerEntrypoint extends WorkerEntrypoint<KeySecrets> implements SignerService {
  async describe(name: KeyName): Promise<{ algorithm: SigningAlgorithm; publicKey: Bytes }> {
    const { algorithm, publicKey } = await this.#signer(name);
    return { algorithm, publicKey };
  }

  async sign(name: KeyName, message: Uint8Array): Promise<Bytes> {
    const signer = await this.#signer(name);
    return signer.sign(message);
  }

  async #signer(name: KeyName): Promise<Signer> {
    const signer = signers.get(name) ?? (await importSecret(this.env, name));
    signers.set(name, signer);
    return signer;
  }
}
