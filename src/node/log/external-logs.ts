// External logs: the logs elsewhere that an instance was configured with, as one log; with their keys, for trust documents.

import { createPublicKey } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { isDeepStrictEqual } from 'node:util';
import type { RemoteLogSettings } from '../../config/transparency-settings.ts';
import { type PublicKey, parsePublicKey } from '../../key/public-key.ts';
import { FailoverLog } from '../../log/failover.ts';
import type { Log } from '../../log/log.ts';
import { RemoteLog } from '../../log/remote.ts';
import { fetchPoster } from '../../web/fetch-poster.ts';
import { requireClientUsable } from '../listener/tls-identity.ts';
import type { Logger } from '../system/logger.ts';
import { sha256 } from '../system/native-digest.ts';
import { nativeVerifier } from '../system/native-verifier.ts';
import { later } from '../system/timer.ts';
import { HttpsPoster } from './https-poster.ts';

/** Milliseconds for an entry: another log waits where there are several. */
const DEADLINE_ALONE = 10_000;
const DEADLINE_OF_SEVERAL = 3_000;

/** A log elsewhere whose key is known. */
export interface KnownExternalLog {
  /** Without a final slash. */
  readonly url: string;
  readonly publicKey: PublicKey;
}

export interface ExternalLogs {
  readonly log: Log;
  /** The same list as long as the logs are the same. */
  readonly known: readonly KnownExternalLog[];
  /**
   * Checks what `wanted` has, and returns what puts it in force: other logs from the next entry on, or other certificates
   * for the same. Throws an Error with a sentence where something cannot be used.
   */
  renewal(wanted: readonly RemoteLogSettings[]): () => void;
}

/** `bearer` is for logs that have none of their own. Throws an Error with a sentence where a key cannot be a log's. */
export function externalLogs(
  settings: readonly RemoteLogSettings[],
  bearer: string | undefined,
  logger: Logger,
): ExternalLogs {
  let current = { settings, logs: theseLogs(settings, bearer, logger) };
  return {
    log: { append: (entry) => current.logs.log.append(entry) },
    get known() {
      return current.logs.known;
    },
    renewal(wanted) {
      if (isDeepStrictEqual(withoutFiles(wanted), withoutFiles(current.settings)))
        return current.logs.renewal(wanted);
      const next = { settings: wanted, logs: theseLogs(wanted, bearer, logger) };
      return () => {
        current = next;
      };
    },
  };
}

/** All but what the files of its certificates hold. */
function withoutFiles(settings: readonly RemoteLogSettings[]): unknown {
  return settings.map(({ tls, ...rest }) => [rest, tls !== undefined]);
}

function theseLogs(
  settings: readonly RemoteLogSettings[],
  bearer: string | undefined,
  logger: Logger,
): ExternalLogs {
  const known: KnownExternalLog[] = [];
  const posters = new Map<string, HttpsPoster>();
  const deadline = settings.length > 1 ? DEADLINE_OF_SEVERAL : DEADLINE_ALONE;
  const members = settings.map(({ url, publicKey: pem, bearer: own, tls, deadlineMs }) => {
    const publicKey = pem === undefined ? undefined : keyOf(pem, url);
    if (publicKey === undefined)
      logger.warn({ url }, "the log's public key is not configured, so its SCTs are embedded unverified");
    else known.push({ url: url.replace(/\/+$/, ''), publicKey });
    const secured = tls && new HttpsPoster(tls, url);
    if (secured !== undefined) posters.set(url, secured);
    const log = new RemoteLog({
      url,
      publicKey,
      bearer: own ?? bearer,
      deadlineMs: deadlineMs ?? deadline,
      poster: secured ?? fetchPoster,
      schedule: later,
      monotonic: () => performance.now(),
      sha256,
      verifier: nativeVerifier,
    });
    return { name: url, log };
  });
  const log = new FailoverLog({
    members,
    monotonic: () => performance.now(),
    onChange: (url, failure) =>
      failure === undefined
        ? logger.info({ url }, 'the log is back')
        : logger.error({ url, err: failure }, 'the log keeps failing and is left alone for a while'),
  });
  return {
    log,
    known,
    renewal(wanted) {
      const renewals = wanted.flatMap(({ url, tls }) => (tls && posters.get(url)?.renewal(tls, url)) ?? []);
      return () => {
        for (const renew of renewals) renew();
      };
    },
  };
}

/** Throws an Error with a sentence where its key or the certificates for it cannot be used. */
export function requireLog({ url, publicKey, tls }: RemoteLogSettings): void {
  if (publicKey !== undefined) keyOf(publicKey, url);
  if (tls !== undefined) requireClientUsable(tls, url);
}

function keyOf(pem: string, url: string): PublicKey {
  let key: PublicKey | undefined;
  try {
    key = parsePublicKey(new Uint8Array(createPublicKey(pem).export({ type: 'spki', format: 'der' })));
  } catch (cause) {
    throw new Error(`the public key of the log ${url} cannot be read`, { cause });
  }
  if (key.type === 'rsa' || (key.type === 'ecdsa' && key.curve === 'P-256')) return key;
  throw new Error(`the public key of the log ${url} has to be P-256 or RSA (RFC 6962 section 2.1.4)`);
}
