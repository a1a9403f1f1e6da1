// Address: where a listener is to be reached on this machine, and why it cannot, in a sentence that names what to change.

export type AddressName = 'REST' | 'gRPC' | 'metrics' | 'the development issuer';

/** What sets host and port: options, each a key of the configuration file too unless it is of `mayfly dev` alone. */
const SET_BY: Readonly<
  Record<AddressName, { readonly host?: string; readonly port: string; readonly keys: boolean }>
> = {
  REST: { host: 'host', port: 'port', keys: true },
  gRPC: { host: 'host', port: 'grpc-port', keys: true },
  metrics: { host: 'metrics-host', port: 'metrics-port', keys: true },
  'the development issuer': { port: 'issuer-port', keys: false },
};

/** What `listening` resolves with. Where the system refuses the address, rejects with an Error with a sentence for the operator. */
export async function listeningOn<T>(
  name: AddressName,
  host: string,
  port: number,
  listening: Promise<T>,
): Promise<T> {
  try {
    return await listening;
  } catch (cause) {
    const reason = reasonOf(name, cause);
    if (reason === undefined) throw cause;
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    throw new Error(`${name} cannot listen on ${address}: ${reason}`, { cause });
  }
}

/** Undefined for a failure that is not about the address. */
function reasonOf(name: AddressName, failure: unknown): string | undefined {
  if (!(failure instanceof Error) || !('code' in failure) || !('syscall' in failure)) return undefined;
  const { code, syscall } = failure;
  const { host = '', port, keys } = SET_BY[name];
  const setBy = (option: string): string =>
    keys ? `with --${option}, or ${option} in the configuration file` : `with --${option}`;
  switch (code) {
    case 'EADDRINUSE':
      return `the port is taken (${code}); stop what has it, or choose another ${setBy(port)}`;
    case 'EACCES':
      return `this user may not take that port (${code}); choose one from 1024 up ${setBy(port)}, or give the process the capability CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `no network interface of this machine has that address (${code}); choose another ${setBy(host)}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host has no address that can be found (${code}); choose another ${setBy(host)}`;
    default:
      return syscall === 'listen' || syscall === 'bind' || syscall === 'getaddrinfo'
        ? `the system refuses it (${String(code)}); --${port}${host === '' ? '' : ` and --${host}`} set it`
        : undefined;
  }
}
