// Flags as file: what the flags of serve say, in the words of a configuration file.

import type { FileData } from '../config/effective-settings.ts';
import type { ServeFlags } from './options.ts';

/** `file` with the flags laid over it, as `loadSettings` lays them over its settings. */
export function laidOver(file: FileData, flags: ServeFlags): FileData {
  const { tlsCertificate, tlsKey, tlsClientCa, logRoots, logBearerFile, caChain, caKey } = flags;
  const direct = {
    data: flags.data,
    host: flags.host,
    port: flags.port,
    'grpc-port': flags.grpcPort,
    'metrics-host': flags.metricsHost,
    'metrics-port': flags.metricsPort,
    'grpc-tls-certificate': flags.grpcTlsCertificate,
    'grpc-tls-key': flags.grpcTlsKey,
    'log-level': flags.logLevel,
    role: flags.role,
    workers: flags.workers,
    log: logOf(flags),
    'log-roots': logRoots && { file: logRoots },
    'log-bearer': logBearerFile && { file: logBearerFile },
    'client-signing-algorithms': flags.clientSigningAlgorithms?.split(','),
    'rate-limits': limitsOf(file, flags),
    ca: caChain && given({ chain: caChain, key: caKey, 'passphrase-file': flags.caKeyPassphraseFile }),
    'key-passphrase-file': flags.keyPassphraseFile,
  };
  const tls = given({ certificate: tlsCertificate, key: tlsKey, 'client-ca': tlsClientCa });
  const { tls: before } = file;
  return {
    ...file,
    ...given(direct),
    ...(Object.keys(tls).length > 0 && { tls: { ...(typeof before === 'object' && before), ...tls } }),
  };
}

function given(members: FileData): FileData {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function logOf({ log, logPublicKey }: ServeFlags): unknown {
  if (log === undefined || log === 'builtin') return log;
  if (log === '' || log === 'none') return 'none';
  const keys = logPublicKey?.split(',') ?? [];
  return log.split(/,(?=https?:\/\/)/).map((url, i) => {
    const file = keys[i];
    return file === undefined ? url : { url, 'public-key': { file } };
  });
}

function limitsOf({ 'rate-limits': before }: FileData, { limits }: ServeFlags): unknown {
  if (limits === undefined) return undefined;
  const enabled = limits === 'on';
  if (typeof before === 'object') return { ...before, enabled };
  return before === 'off' && !enabled ? 'off' : { enabled };
}
