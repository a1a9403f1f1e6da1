// Reads timestamp replies with pkijs, which has no part in writing them.

import * as pkijs from 'pkijs';

export interface TokenFields {
  readonly policy: string;
  /** Content octets of the INTEGER. */
  readonly serialNumber: Uint8Array;
  readonly genTime: Date;
  readonly accuracy: number | undefined;
  /** INTEGER, DER. */
  readonly nonce: Uint8Array | undefined;
  /** MessageImprint's algorithm and digest. */
  readonly hash: string;
  readonly digest: Uint8Array;
  readonly signedData: pkijs.SignedData;
}

export interface ReplyFields {
  readonly status: number;
  /** Numbers of the bits that failInfo has set. */
  readonly failInfo: readonly number[];
  readonly token: TokenFields | undefined;
}

export function readReply(reply: Uint8Array): ReplyFields {
  const { status, timeStampToken } = pkijs.TimeStampResp.fromBER(reply);
  const bits = status.failInfo?.valueBlock.valueHexView ?? new Uint8Array();
  return {
    status: status.status,
    failInfo: Array.from({ length: 8 * bits.length }, (_, i) => i).filter(
      (i) => ((bits[i >> 3] ?? 0) & (0x80 >> (i & 7))) !== 0,
    ),
    token: timeStampToken === undefined ? undefined : readContent(timeStampToken),
  };
}

/** The token of a reply that must be granted. */
export function readToken(reply: Uint8Array): TokenFields {
  const { status, token } = readReply(reply);
  if (status !== 0 || token === undefined) throw new Error(`not granted: status ${status}`);
  return token;
}

function readContent(content: pkijs.ContentInfo): TokenFields {
  const signedData = new pkijs.SignedData({ schema: content.content });
  const info = pkijs.TSTInfo.fromBER(signedData.encapContentInfo.eContent?.getValue() ?? new ArrayBuffer());
  return {
    policy: info.policy,
    serialNumber: info.serialNumber.valueBlock.valueHexView,
    genTime: info.genTime,
    accuracy: info.accuracy?.seconds,
    nonce: info.nonce === undefined ? undefined : new Uint8Array(info.nonce.toBER()),
    hash: info.messageImprint.hashAlgorithm.algorithmId,
    digest: info.messageImprint.hashedMessage.valueBlock.valueHexView,
    signedData,
  };
}
