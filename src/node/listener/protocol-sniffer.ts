// Protocol sniffer: whether a connection in clear speaks HTTP/2, from the preface it must begin with (RFC 9113 section 3.4).

import type { Socket } from 'node:net';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/**
 * Reads until the bytes agree with the preface in full or differ from it, puts them back, and tells. A connection that
 * does neither within `timeoutMs` is cut.
 */
export function sniff(socket: Socket, timeoutMs: number, told: (protocol: 'http1' | 'http2') => void): void {
  let seen = Buffer.alloc(0);
  const late = setTimeout(() => socket.destroy(), timeoutMs);
  const read = (): void => {
    const chunk: unknown = socket.read();
    if (!Buffer.isBuffer(chunk)) return;
    seen = Buffer.concat([seen, chunk]);
    const known = Math.min(seen.length, PREFACE.length);
    const http2 = PREFACE.subarray(0, known).equals(seen.subarray(0, known));
    if (http2 && known < PREFACE.length) return;
    forget();
    socket.unshift(seen);
    told(http2 ? 'http2' : 'http1');
  };
  const end = (): void => {
    forget();
    socket.destroy();
  };
  const forget = (): void => {
    clearTimeout(late);
    socket.off('readable', read);
    socket.off('end', end);
    socket.off('error', end);
    socket.off('close', forget);
  };
  socket.on('readable', read);
  socket.on('end', end);
  socket.on('error', end);
  socket.on('close', forget);
}
