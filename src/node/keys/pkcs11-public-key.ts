// PKCS#11 public key: that of a key pair in a token, for the request for its certificate.

import { createPublicKey } from 'node:crypto';
import type { Bytes } from '../../encoding/bytes.ts';
import * as der from '../../encoding/der.ts';
import * as oid from '../../oid.ts';
import * as ck from './pkcs11-module.ts';
import type { Pkcs11Place } from './pkcs11-signer.ts';

/** SubjectPublicKeyInfo, DER. Rejects with an Error with a sentence where module, token, PIN or key are not as configured. */
export async function pkcs11PublicKey(options: Pkcs11Place & { readonly pin: string }): Promise<Bytes> {
  const { module: path, token, keyLabel, pin } = options;
  const module = await ck.loadModule(path);
  try {
    module.C_Initialize({ flags: ck.CKF_OS_LOCKING_OK });
    const slot = module
      .C_GetSlotList(true)
      .find((one) => module.C_GetTokenInfo(one).label.trimEnd() === token);
    if (slot === undefined) throw new Error(`there is no PKCS#11 token "${token}"`);
    const session = module.C_OpenSession(slot, ck.CKF_SERIAL_SESSION);
    module.C_Login(session, ck.CKU_USER, pin);
    module.C_FindObjectsInit(session, [
      { type: ck.CKA_CLASS, value: ck.CKO_PUBLIC_KEY },
      { type: ck.CKA_LABEL, value: keyLabel },
    ]);
    const [key, another] = module.C_FindObjects(session, 2);
    module.C_FindObjectsFinal(session);
    if (key === undefined) throw new Error(`the PKCS#11 token holds no public key "${keyLabel}"`);
    if (another !== undefined)
      throw new Error(`the PKCS#11 token holds several public keys "${keyLabel}"; the label must be of one`);
    return spkiOf(module, session, key);
  } catch (cause) {
    const value = ck.returnValue(cause);
    if (value === undefined) throw cause;
    throw new Error(
      `the public key "${keyLabel}" cannot be read from the PKCS#11 token "${token}" (${value})`,
      {
        cause,
      },
    );
  } finally {
    module.close();
  }
}

function spkiOf(module: ck.Cryptoki, session: ck.Handle, key: ck.Handle): Bytes {
  const read = (type: number): Buffer => {
    const [attribute] = module.C_GetAttributeValue(session, key, [{ type }]);
    if (attribute === undefined) throw new Error('the PKCS#11 token does not tell its public key');
    return attribute.value;
  };
  const type = module.C_GetAttributeValue(session, key, [{ type: ck.CKA_KEY_TYPE }])[0]?.value;
  if (type?.readUInt8(0) === ck.CKK_RSA) {
    const [n, e] = [
      read(ck.CKA_MODULUS).toString('base64url'),
      read(ck.CKA_PUBLIC_EXPONENT).toString('base64url'),
    ];
    const spki = createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' });
    return new Uint8Array(spki.export({ type: 'spki', format: 'der' }));
  }
  // The point comes as an OCTET STRING (PKCS#11 2.40, section 2.3.3).
  const point = der.readOnly(new Uint8Array(read(ck.CKA_EC_POINT)), der.TAG.octetString).content;
  return der.sequence(
    der.sequence(der.objectIdentifier(oid.ecPublicKey), new Uint8Array(read(ck.CKA_EC_PARAMS))),
    der.bitString(point),
  );
}
