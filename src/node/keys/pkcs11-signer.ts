// PKCS#11 signer: a key that stays in a token (HSM, smart card, SoftHSM), over a few sessions that are opened anew when the token was gone.

import { createHash, createPublicKey } from 'node:crypto';
import type { Bytes } from '../../encoding/bytes.ts';
import { toDer } from '../../key/ecdsa-signature.ts';
import type { Signer, SigningAlgorithm } from '../../key/signer.ts';
import { algorithmOf } from '../system/native-signer.ts';
import { PinRefused } from './pin-refused.ts';
import * as ck from './pkcs11-module.ts';

export interface Pkcs11Place {
  /** Path of the vendor's library. */
  readonly module: string;
  /** Label. */
  readonly token: string;
  readonly keyLabel: string;
}

export interface Pkcs11Options extends Pkcs11Place {
  readonly pin: string;
  /** SubjectPublicKeyInfo, DER, of the certificate; the caller proves by a signature that the key is its. */
  readonly publicKey: Bytes;
  /** At once; the rest waits. 4 unless given. */
  readonly sessions?: number;
  /** For a signature with the wait for a session, in ms; 5,000 unless given. */
  readonly timeout?: number;
}

const HASH: Partial<Record<SigningAlgorithm, string>> = {
  'ecdsa-p256-sha256': 'sha256',
  'ecdsa-p384-sha384': 'sha384',
  'ecdsa-p521-sha512': 'sha512',
};

/** No attempt to reach a token that is gone follows another sooner. */
const PAUSE = 1_000;

/** Retrying these would lock the PIN. */
const FINAL = new Set([
  'CKR_PIN_INCORRECT',
  'CKR_PIN_LOCKED',
  'CKR_PIN_EXPIRED',
  'CKR_PIN_INVALID',
  'CKR_PIN_LEN_RANGE',
]);

export interface Pkcs11Signer extends Signer {
  close(): void;
}

/** Throws an Error with a sentence where module, token, PIN or key are not as configured. */
export async function openPkcs11Signer(options: Pkcs11Options): Promise<Pkcs11Signer> {
  const algorithm = algorithmOf(
    createPublicKey({ key: Buffer.from(options.publicKey), format: 'der', type: 'spki' }),
  );
  if (HASH[algorithm] === undefined && algorithm !== 'rsa-pkcs1-sha256')
    throw new Error(`a key in a PKCS#11 token signs with ECDSA or RSA, not with ${algorithm}`);
  const token = new Token(await ck.loadModule(options.module), options, algorithm);
  try {
    token.open();
  } catch (failure) {
    token.close();
    throw failure;
  }
  return {
    algorithm,
    publicKey: options.publicKey,
    sign: (message) => token.sign(message),
    close: () => token.close(),
  };
}

interface OpenToken {
  readonly free: ck.Handle[];
  readonly key: ck.Handle;
  readonly slot: ck.Handle;
  sessions: number;
}

class Token {
  readonly #module: ck.Cryptoki;
  readonly #options: Pkcs11Options;
  readonly #algorithm: SigningAlgorithm;
  readonly #waiting: ((session: ck.Handle | Error) => void)[] = [];
  #open: OpenToken | undefined;
  #initialized = false;
  /** Whether another has initialized the library, and it has been used as it was found. */
  #shared = false;
  #under = 0;
  #fault: Error | undefined;
  #retryAt = 0;

  constructor(module: ck.Cryptoki, options: Pkcs11Options, algorithm: SigningAlgorithm) {
    this.#module = module;
    this.#options = options;
    this.#algorithm = algorithm;
  }

  /** Only a module that is initialized anew sees a token that has come back. */
  open(): void {
    const { token, keyLabel, pin } = this.#options;
    const at = (what: string, cause: unknown): Error =>
      new Error(`${what} (${ck.returnValue(cause) ?? 'no return value'})`, { cause });
    this.#finalize();
    try {
      this.#initialize();
    } catch (cause) {
      throw at(`the PKCS#11 module ${this.#options.module} cannot be initialized`, cause);
    }
    const slot = this.#slot();
    let session: ck.Handle;
    try {
      session = this.#module.C_OpenSession(slot, ck.CKF_SERIAL_SESSION);
    } catch (cause) {
      throw at(`the PKCS#11 token "${token}" opens no session`, cause);
    }
    try {
      this.#module.C_Login(session, ck.CKU_USER, pin);
    } catch (cause) {
      // Of a module that is shared with the key before in a rotation.
      if (ck.returnValue(cause) !== 'CKR_USER_ALREADY_LOGGED_IN') {
        const failure = at(`the PKCS#11 token "${token}" refuses the PIN`, cause);
        if (!FINAL.has(ck.returnValue(cause) ?? '')) throw failure;
        this.#fault = new PinRefused(failure.message, { cause });
        throw this.#fault;
      }
    }
    this.#open = { free: [session], key: this.#key(session, keyLabel), slot, sessions: 1 };
  }

  /** A library is initialized once in a process: the key that is rotated to finds it so, and takes it over when it has to be opened anew. */
  #initialize(): void {
    const flags = { flags: ck.CKF_OS_LOCKING_OK };
    try {
      this.#module.C_Initialize(flags);
    } catch (cause) {
      if (ck.returnValue(cause) !== 'CKR_CRYPTOKI_ALREADY_INITIALIZED') throw cause;
      if (!this.#shared) {
        this.#shared = true;
        return;
      }
      this.#module.C_Finalize();
      this.#module.C_Initialize(flags);
    }
    this.#initialized = true;
  }

  #slot(): ck.Handle {
    const { token } = this.#options;
    const labels: string[] = [];
    for (const slot of this.#module.C_GetSlotList(true)) {
      const label = this.#module.C_GetTokenInfo(slot).label.trimEnd();
      if (label === token) return slot;
      if (label !== '') labels.push(label);
    }
    const there = labels.length === 0 ? 'there is none' : `there is ${labels.join(', ')}`;
    throw new Error(`there is no PKCS#11 token "${token}"; ${there}`);
  }

  #key(session: ck.Handle, label: string): ck.Handle {
    const type = this.#algorithm === 'rsa-pkcs1-sha256' ? ck.CKK_RSA : ck.CKK_EC;
    this.#module.C_FindObjectsInit(session, [
      { type: ck.CKA_CLASS, value: ck.CKO_PRIVATE_KEY },
      { type: ck.CKA_KEY_TYPE, value: type },
      { type: ck.CKA_LABEL, value: label },
    ]);
    const [key, another] = this.#module.C_FindObjects(session, 2);
    this.#module.C_FindObjectsFinal(session);
    const kind = type === ck.CKK_RSA ? 'RSA' : 'EC';
    if (key === undefined) throw new Error(`the PKCS#11 token holds no private ${kind} key "${label}"`);
    if (another !== undefined)
      throw new Error(
        `the PKCS#11 token holds several private ${kind} keys "${label}"; the label must be of one`,
      );
    return key;
  }

  async sign(message: Uint8Array): Promise<Bytes> {
    const deadline = Promise.withResolvers<never>();
    const { timeout = 5_000 } = this.#options;
    const timer = setTimeout(() => deadline.reject(new Error(`no signature within ${timeout} ms`)), timeout);
    try {
      return await Promise.race([this.#signed(message), deadline.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #signed(message: Uint8Array): Promise<Bytes> {
    const { token, session } = await this.#session();
    this.#under += 1;
    try {
      const signature = await this.#signWith(token, session, message);
      this.#release(token, session);
      return signature;
    } catch (failure) {
      this.#forget(token, failure);
      throw failure;
    } finally {
      this.#under -= 1;
    }
  }

  async #signWith({ key }: OpenToken, session: ck.Handle, message: Uint8Array): Promise<Bytes> {
    const hash = HASH[this.#algorithm];
    const mechanism = hash === undefined ? ck.CKM_SHA256_RSA_PKCS : ck.CKM_ECDSA;
    const data = hash === undefined ? Buffer.from(message) : createHash(hash).update(message).digest();
    this.#module.C_SignInit(session, { mechanism }, key);
    const signature = await this.#module.C_SignAsync(session, data, Buffer.alloc(MAX_SIGNATURE));
    return hash === undefined ? new Uint8Array(signature) : toDer(signature);
  }

  /** A free one, a new one, or the next that becomes free. */
  async #session(): Promise<{ readonly token: OpenToken; readonly session: ck.Handle }> {
    const token = this.#token();
    const free = token.free.pop();
    if (free !== undefined) return { token, session: free };
    if (token.sessions < (this.#options.sessions ?? 4)) {
      try {
        const session = this.#module.C_OpenSession(token.slot, ck.CKF_SERIAL_SESSION);
        token.sessions += 1;
        return { token, session };
      } catch (failure) {
        this.#forget(token, failure);
        throw failure;
      }
    }
    const session = await new Promise<ck.Handle>((resolve, reject) => {
      this.#waiting.push((next) => (next instanceof Error ? reject(next) : resolve(next)));
    });
    return { token, session };
  }

  #token(): OpenToken {
    if (this.#open !== undefined) return this.#open;
    if (this.#fault !== undefined) throw this.#fault;
    // The module must not be finalized below the signatures that are still with it.
    if (this.#under > 0 || Date.now() < this.#retryAt) throw new Error('the PKCS#11 token does not answer');
    this.#retryAt = Date.now() + PAUSE;
    this.open();
    if (this.#open === undefined) throw new Error('the PKCS#11 token does not answer');
    return this.#open;
  }

  #release(token: OpenToken, session: ck.Handle): void {
    if (token !== this.#open) return;
    const next = this.#waiting.shift();
    if (next === undefined) token.free.push(session);
    else next(session);
  }

  /** After any failure all is opened anew: which of its return values mean that a token is gone differs by vendor. */
  #forget(token: OpenToken, cause: unknown): void {
    if (token !== this.#open) return;
    this.#open = undefined;
    const failure = new Error('the PKCS#11 token does not answer', { cause });
    for (const wait of this.#waiting.splice(0)) wait(failure);
  }

  #finalize(): void {
    this.#open = undefined;
    if (!this.#initialized) return;
    this.#initialized = false;
    try {
      this.#module.C_Finalize();
    } catch {
      // A token that is gone cannot be taken leave of.
    }
  }

  close(): void {
    this.#finalize();
    this.#module.close();
  }
}

/** Bytes of the longest: RSA of 8192 bits. */
const MAX_SIGNATURE = 1024;
