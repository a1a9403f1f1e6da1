// PIN refused: by a PKCS#11 token. Its own error, as whoever starts the process again must not go on trying: a token locks itself.

export class PinRefused extends Error {
  override readonly name = 'PinRefused';
}

/** Also where nothing but its sentence came over, from another process. */
export function isPinRefused(failure: unknown): boolean {
  return failure instanceof Error && /^the PKCS#11 token ".*" refuses the PIN /.test(failure.message);
}
