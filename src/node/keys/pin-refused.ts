// PIN refused: by a PKCS#11 token. Its own error, as whoever starts the process again must not go on trying: a token locks itself.

export class PinRefused extends Error {
  override readonly name = 'PinRefused';
}
