// Remote log on Node: another log over `fetch`, with this runtime's clock and cryptography.

import { RemoteLog, type RemoteLogOptions } from '../log/remote.ts';
import { fetchPoster } from '../web/fetch-poster.ts';
import { sha256 } from './native-digest.ts';
import { nativeVerifier } from './native-verifier.ts';
import { later } from './timer.ts';

export function remoteLog(
  options: Pick<RemoteLogOptions, 'url' | 'publicKey' | 'bearer' | 'deadlineMs'>,
): RemoteLog {
  return new RemoteLog({
    ...options,
    poster: fetchPoster,
    schedule: later,
    monotonic: () => performance.now(),
    sha256,
    verifier: nativeVerifier,
  });
}
