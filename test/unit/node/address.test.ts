import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { listeningOn } from '../../../src/node/listener/address.ts';
import { openListener } from '../../../src/node/listener/listener.ts';

const listening = (host: string, port: number) => openListener(() => {}, host, port);

describe('an address that a listener cannot have', () => {
  test.each([
    [
      '192.0.2.1',
      /^gRPC cannot listen on 192\.0\.2\.1:0: no network interface .*EADDRNOTAVAIL.* --host, or host/,
    ],
    [
      'no-such-name.invalid',
      /^gRPC cannot listen on no-such-name\.invalid:0: the host has no address .* --host/,
    ],
    ['2001:db8::1', /^gRPC cannot listen on \[2001:db8::1\]:0: /],
  ])('is a sentence with the option to change: %s', async (host, words) => {
    await expect(listeningOn('gRPC', host, 0, listening(host, 0))).rejects.toThrow(words);
  });

  const isForAll = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) <= 1;
  test.skipIf(isForAll)('a port that the user may not take', async () => {
    const wasRoot = process.geteuid?.() === 0;
    if (wasRoot) process.seteuid?.(65534);
    try {
      await expect(listeningOn('metrics', '127.0.0.1', 1, listening('127.0.0.1', 1))).rejects.toThrow(
        /^metrics cannot listen on 127\.0\.0\.1:1: this user may not take that port \(EACCES\); choose one from 1024 up with --metrics-port, or metrics-port in the configuration file/,
      );
    } finally {
      if (wasRoot) process.seteuid?.(0);
    }
  });

  test('another failure stays what it is', async () => {
    const failure = new Error('PEM routines: no start line');
    await expect(listeningOn('REST', '127.0.0.1', 0, Promise.reject(failure))).rejects.toBe(failure);
  });
});
