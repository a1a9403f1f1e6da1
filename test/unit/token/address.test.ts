import { describe, expect, it } from 'vitest';
import { addressOfHost, isReachable, kindOfAddress } from '../../../src/token/address.ts';

describe('the kind of an address', () => {
  it.each([
    // cloud metadata and link-local, in every form
    '169.254.169.254',
    '169.254.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::169.254.169.254',
    '::ffff:0:169.254.169.254',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    'fe80::1',
    'fe80::1%eth0',
    'febf:ffff::1',
    'fd00:ec2::254',
    'fd00:0ec2:0:0:0:0:0:0254',
    'fd20:ce::254',
    // unspecified, multicast, broadcast
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '::ffff:0.0.0.0',
    '224.0.0.1',
    '239.255.255.255',
    'ff02::1',
    '255.255.255.255',
    // not an address
    '',
    'localhost',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '0177.0.0.1',
    '010.0.0.1',
    '0x7f.0.0.1',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    'g::1',
    '::1.2.3.256',
    '12345::',
  ])('of %j is never', (address) => {
    expect(kindOfAddress(address)).toBe('never');
    expect(isReachable(address, 'any')).toBe(false);
    expect(isReachable(address, 'public')).toBe(false);
  });

  it.each([
    '10.0.0.1',
    '10.255.255.255',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '240.0.0.1',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::10.0.0.1',
    '64:ff9b::10.0.0.1',
    '2002:7f00:1::',
    '2002:c0a8:101::1',
    'fc00::1',
    'fdff::1',
    'fec0::1',
    '2001:db8::1',
    '2001::1', // Teredo
    '2001:2::1', // benchmarking
    '3fff::1',
    '100::1', // discard only
    '4000::1',
    '5f00::1',
  ])('of %s is private', (address) => {
    expect(kindOfAddress(address)).toBe('private');
    expect(isReachable(address, 'any')).toBe(true);
    expect(isReachable(address, 'public')).toBe(false);
  });

  it.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.1',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2001:4860:4860::8888',
    '2600::',
    '::ffff:1.1.1.1',
    '64:ff9b::1.1.1.1',
    '2002:101:101::1',
  ])('of %s is public', (address) => {
    expect(kindOfAddress(address)).toBe('public');
    expect(isReachable(address, 'public')).toBe(true);
  });
});

describe('the host of a URL', () => {
  it.each([
    ['http://127.0.0.1/', '127.0.0.1'],
    ['http://2130706433/', '127.0.0.1'],
    ['http://0x7f000001/', '127.0.0.1'],
    ['http://0177.0.0.1/', '127.0.0.1'],
    ['http://127.1/', '127.0.0.1'],
    ['http://127.0.0.1./', '127.0.0.1'],
    ['http://１２７.0.0.1/', '127.0.0.1'],
    ['http://[::ffff:7f00:1]/', '::ffff:7f00:1'],
    ['http://[0:0:0:0:0:ffff:127.0.0.1]/', '::ffff:7f00:1'],
    ['http://localhost/', undefined],
    ['http://127.0.0.1.nip.io/', undefined],
  ])('%s names the address %s', (url, address) => {
    expect(addressOfHost(new URL(url).hostname)).toBe(address);
  });
});
