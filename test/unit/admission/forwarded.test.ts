import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNetwork, TrustedProxies } from '../../../src/admission/forwarded.ts';

const LISTED = ['10.0.0.0/8', '192.0.2.7', '2001:db8:ff::/48'];

function clientOf(peer: string | undefined, headers: Record<string, string>, header?: 'forwarded'): unknown {
  return new TrustedProxies(LISTED, header).clientOf(peer, new Headers(headers));
}

describe("the client's address", () => {
  it.each([
    // peer, X-Forwarded-For, client
    ['203.0.113.9', undefined, '203.0.113.9'],
    ['203.0.113.9', '198.51.100.1', '203.0.113.9'], // a stranger's word does not count
    ['10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['10.1.2.3', '1.1.1.1, 198.51.100.1', '198.51.100.1'], // what stands left of the client is the client's own text
    ['10.1.2.3', '1.1.1.1, 198.51.100.1, 192.0.2.7', '198.51.100.1'],
    ['10.1.2.3', '10.9.9.9, 10.8.8.8', '10.9.9.9'], // nobody but proxies: the farthest
    ['10.1.2.3', 'unknown', '10.1.2.3'],
    ['10.1.2.3', '1.1.1.1, garbage', '10.1.2.3'],
    ['10.1.2.3', '', '10.1.2.3'],
    ['10.1.2.3', undefined, '10.1.2.3'],
    ['10.1.2.3', '198.51.100.1:4711', '198.51.100.1'],
    ['10.1.2.3', '[2001:db8::5]:4711', '2001:db8::5'],
    ['::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'], // an IPv4 proxy on a dual-stack socket
    ['2001:db8:ff:1::1', '2001:db8::5', '2001:db8::5'],
    ['2001:db8:fe:1::1', '2001:db8::5', '2001:db8:fe:1::1'],
    [undefined, '198.51.100.1', undefined],
  ])('peer %s, X-Forwarded-For %s: %s', (peer, forwarded, client) => {
    const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    expect(clientOf(peer, headers)).toBe(client);
  });

  it.each([
    ['for=198.51.100.1', '198.51.100.1'],
    ['by=x;For="[2001:db8::5]:47";proto=https', '2001:db8::5'],
    ['for=1.1.1.1, for=198.51.100.1;by=10.1.1.1, for=192.0.2.7', '198.51.100.1'],
    ['for=_hidden', '10.1.2.3'],
    ['proto=https', '10.1.2.3'],
  ])('Forwarded: %s', (text, client) => {
    expect(clientOf('10.1.2.3', { forwarded: text }, 'forwarded')).toBe(client);
  });

  it('is read from one header only, as the other is passed on the way the client made it up', () => {
    expect(clientOf('10.1.2.3', { forwarded: 'for=1.1.1.1' })).toBe('10.1.2.3');
    expect(clientOf('10.1.2.3', { 'x-forwarded-for': '1.1.1.1' }, 'forwarded')).toBe('10.1.2.3');
  });

  it('is the one that the nearest proxy saw, whatever the client wrote before', () => {
    const text = fc.string({ unit: fc.constantFrom(...'0123456789.,:;="[]/ abcdefor') });
    fc.assert(
      fc.property(text, (written) => {
        const chain = `${written}, 198.51.100.1, 192.0.2.7`;
        expect(clientOf('10.1.2.3', { 'x-forwarded-for': chain })).toBe('198.51.100.1');
        const elements = `${written}, for=198.51.100.1, for=192.0.2.7`;
        expect(clientOf('10.1.2.3', { forwarded: elements }, 'forwarded')).toBe('198.51.100.1');
      }),
    );
  });

  it('is the peer where no proxy is listed', () => {
    const proxies = new TrustedProxies([]);
    expect(proxies.clientOf('127.0.0.1', new Headers({ 'x-forwarded-for': '1.1.1.1' }))).toBe('127.0.0.1');
  });
});

it.each(['', '10.0.0.0/33', '10.0.0/8', '::/129', 'a.example', '10.0.0.0/8/8', '10.0.0.0/-1'])(
  '%j is no network',
  (text) => expect(parseNetwork(text)).toBeUndefined(),
);
