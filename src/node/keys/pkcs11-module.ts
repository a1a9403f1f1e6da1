// PKCS#11 module: the few functions of Cryptoki that signing takes, loaded through the optional dependency pkcs11js.

/** Handles of slots, sessions and objects. */
export type Handle = Buffer;

export interface Attribute {
  readonly type: number;
  readonly value?: Buffer | number | string | boolean;
}

/** PKCS#11 2.40, sections 5.4 to 5.11; each function throws a Pkcs11Error for any return value but CKR_OK. */
export interface Cryptoki {
  load(path: string): void;
  close(): void;
  C_Initialize(options: { readonly flags: number }): void;
  C_Finalize(): void;
  C_GetSlotList(tokenPresent: boolean): Handle[];
  C_GetTokenInfo(slot: Handle): { readonly label: string };
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_Login(session: Handle, userType: number, pin: string): void;
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void;
  C_FindObjects(session: Handle, most: number): Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(
    session: Handle,
    object: Handle,
    template: readonly Attribute[],
  ): { readonly value: Buffer }[];
  C_SignInit(session: Handle, mechanism: { readonly mechanism: number }, key: Handle): void;
  /** Resolves with the part of `out` that holds the signature. */
  C_SignAsync(session: Handle, data: Buffer, out: Buffer): Promise<Buffer>;
}

/** PKCS#11 2.40, pkcs11t.h. */
export const CKF_OS_LOCKING_OK = 0x2;
export const CKF_SERIAL_SESSION = 0x4;
export const CKU_USER = 1;
export const CKA_CLASS = 0x0;
export const CKA_LABEL = 0x3;
export const CKA_KEY_TYPE = 0x100;
export const CKA_MODULUS = 0x120;
export const CKA_PUBLIC_EXPONENT = 0x122;
export const CKA_EC_PARAMS = 0x180;
export const CKA_EC_POINT = 0x181;
export const CKO_PUBLIC_KEY = 2;
export const CKO_PRIVATE_KEY = 3;
export const CKK_RSA = 0x0;
export const CKK_EC = 0x3;
export const CKM_SHA256_RSA_PKCS = 0x40;
export const CKM_ECDSA = 0x1041;

/** The return value, such as CKR_PIN_INCORRECT; undefined for any other failure. */
export function returnValue(failure: unknown): string | undefined {
  if (!(failure instanceof Error)) return undefined;
  return /^CKR_\w+/.exec(failure.message)?.[0];
}

/** Throws an Error with a sentence where pkcs11js is not installed, or the file is no module. */
export async function loadModule(path: string): Promise<Cryptoki> {
  const name: string = 'pkcs11js'; // not resolved by the compiler: it may well be missing
  let library: { readonly default: { readonly PKCS11: new () => Cryptoki } };
  try {
    library = await import(name);
  } catch (cause) {
    throw new Error(
      'PKCS#11 takes the package pkcs11js, which is compiled when it is installed: npm install pkcs11js, with a C++ compiler at hand',
      { cause },
    );
  }
  const module = new library.default.PKCS11();
  try {
    module.load(path);
  } catch (cause) {
    throw new Error(`${path} cannot be loaded as a PKCS#11 module`, { cause });
  }
  return module;
}
