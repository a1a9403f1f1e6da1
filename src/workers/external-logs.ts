// External logs: the logs elsewhere that a Worker in front of them submits to.

import type { RemoteLogSettings } from '../config/transparency-settings.ts';
import { type PublicKey, parsePublicKey } from '../key/public-key.ts';
import { FailoverLog } from '../log/failover.ts';
import type { Log } from '../log/log.ts';
import { RemoteLog } from '../log/remote.ts';
import type { Schedule } from '../log/schedule.ts';
import { fetchPoster } from '../web/fetch-poster.ts';
import { webCryptoVerifier as verifier } from '../web/webcrypto-verifier.ts';
import { sha256 } from './crypto.ts';
import { report, reportError } from './report.ts';

export interface KnownExternalLog {
  /** Without a final slash. */
  readonly url: string;
  readonly publicKey: PublicKey;
}

/** Milliseconds for an entry: another log waits where there are several. */
const DEADLINE_ALONE = 10_000;
const DEADLINE_OF_SEVERAL = 3_000;

/** Of the request that set it. */
const later: Schedule = (task, milliseconds) => {
  const timer = setTimeout(task, milliseconds);
  return () => clearTimeout(timer);
};

const monotonic = (): number => performance.now();

/** `bearer` is the secret LOG_BEARER. Throws a Problem where a configured key is none. */
export function externalLogs(
  settings: readonly RemoteLogSettings[],
  bearer: string | undefined,
): { readonly log: Log; readonly known: readonly KnownExternalLog[] } {
  const known: KnownExternalLog[] = [];
  const deadline = settings.length > 1 ? DEADLINE_OF_SEVERAL : DEADLINE_ALONE;
  const members = settings.map(({ url, publicKey: pem, deadlineMs }) => {
    const publicKey = pem === undefined ? undefined : parsePublicKey(pem);
    if (publicKey !== undefined) known.push({ url: url.replace(/\/+$/, ''), publicKey });
    const parts = { poster: fetchPoster, schedule: later, monotonic, sha256, verifier };
    return {
      name: url,
      log: new RemoteLog({ url, publicKey, bearer, deadlineMs: deadlineMs ?? deadline, ...parts }),
    };
  });
  const log = new FailoverLog({
    members,
    monotonic,
    onChange: (url, failure) =>
      failure === undefined
        ? report('info', 'the log is back', { url })
        : reportError(`the log ${url} keeps failing and is left alone for a while`, failure),
  });
  return { log, known };
}
