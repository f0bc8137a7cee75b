import { describe, expect, it } from 'vitest';
import { resolvePolicy } from './address-policy.ts';
import { checkAddress } from './check-address.ts';

describe('resolvePolicy', () => {
  it('allows nothing special by default, and is frozen', () => {
    const policy = resolvePolicy();
    expect(policy).toEqual({ allowLoopback: false, allowPrivate: false, allowedNetworks: [] });
    expect(Object.isFrozen(policy)).toBe(true);
    expect(Object.isFrozen(policy.allowedNetworks)).toBe(true);
  });

  it('copies the list of networks', () => {
    const allowedNetworks = ['10.0.0.0/8'];
    const policy = resolvePolicy({ allowedNetworks });
    allowedNetworks.push('172.16.0.0/12');
    expect(policy.allowedNetworks).toEqual(['10.0.0.0/8']);
    expect(resolvePolicy(policy)).toEqual(policy);
  });

  it('enables nothing for values that are only truthy', () => {
    const policy = resolvePolicy({ allowLoopback: 'no', allowPrivate: 1 } as never);
    expect(policy).toMatchObject({ allowLoopback: false, allowPrivate: false });
  });

  it.each([
    '',
    '10.0.0.0',
    '10/8',
    '10.0/8',
    '010.0.0.0/8',
    '0xa.0.0.0/8',
    '10.0.0.0/33',
    '10.0.0.0/8 ',
    'fd00::/129',
    'fd00::%eth0/64',
    '::ffff:10.0.0.0/104',
    'agents.internal',
    '10.0.0.0-10.0.0.9',
  ])('refuses %j as a network', (cidr) => {
    expect(() => resolvePolicy({ allowedNetworks: [cidr] })).toThrow(TypeError);
  });
});

describe('checkAddress with a policy', () => {
  const resultOf = (address: string, policy: Parameters<typeof checkAddress>[1]) => {
    const check = checkAddress(address, policy);
    return check.ok ? 'ok' : check.reason;
  };

  it.each(['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1'])(
    'allowLoopback allows %s',
    (address) => {
      expect(resultOf(address, { allowLoopback: true })).toBe('ok');
      expect(resultOf(address, { allowPrivate: true })).toBe('loopback');
    },
  );

  it.each(['10.0.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1', 'fc00::1', '::ffff:a00:1'])(
    'allowPrivate allows %s',
    (address) => {
      expect(resultOf(address, { allowPrivate: true })).toBe('ok');
      expect(resultOf(address, { allowLoopback: true })).toBe('private');
    },
  );

  it.each([
    '0.0.0.0',
    '::',
    '100.64.0.1',
    '224.0.0.1',
    'fec0::1',
    '198.18.0.1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
  ])('neither allows %s', (address) =>
    expect(resultOf(address, { allowLoopback: true, allowPrivate: true })).not.toBe('ok'),
  );

  it('allowedNetworks allows exactly its networks', () => {
    const policy = { allowedNetworks: ['10.20.0.0/16', '100.64.0.0/10', 'fd12:3456::/32'] };
    expect(resultOf('10.20.255.1', policy)).toBe('ok');
    expect(resultOf('::ffff:10.20.0.1', policy)).toBe('ok');
    expect(resultOf('10.21.0.1', policy)).toBe('private');
    expect(resultOf('100.100.1.1', policy)).toBe('ok');
    expect(resultOf('fd12:3456:7::1', policy)).toBe('ok');
    expect(resultOf('fd12:3457::1', policy)).toBe('private');
    expect(resultOf('8.8.8.8', policy)).toBe('ok');
  });

  it.each([
    ['169.254.169.254', 'metadata'],
    ['169.254.0.1', 'link_local'],
    ['::ffff:169.254.169.254', 'metadata'],
    ['::ffff:a9fe:1', 'link_local'],
    ['::169.254.169.254', 'metadata'],
    ['64:ff9b::169.254.169.254', 'metadata'],
    ['64:ff9b:1:a9fe:a9:fe00::', 'metadata'],
    ['2002:a9fe:a9fe::1', 'metadata'],
    ['2001:0:a9fe:a9fe::', 'metadata'],
    ['2001:0:808:808::5601:5601', 'metadata'],
    ['2607:f8b0::5efe:a9fe:a9fe', 'metadata'],
    ['fe80::1', 'link_local'],
    ['febf::1', 'link_local'],
    ['fe80::a9fe:a9fe', 'link_local'],
    ['100.100.100.200', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['FD00:0EC2:0:0:0:0:0:254', 'metadata'],
    ['fd20:ce::254', 'metadata'],
    ['fe80::1%eth0', 'zone_id'],
    ['::1%lo', 'zone_id'],
  ])('no policy allows %s', (address, reason) => {
    const everything = {
      allowLoopback: true,
      allowPrivate: true,
      allowedNetworks: ['0.0.0.0/0', '::/0', 'fe80::/10'],
    };
    expect(resultOf(address, everything)).toBe(reason);
    expect(resultOf(address, {})).toBe(reason);
  });

  it('checks the address embedded in an allowed NAT64 prefix', () => {
    const policy = { allowedNetworks: ['64:ff9b::/96'] };
    expect(resultOf('64:ff9b::8.8.8.8', policy)).toBe('ok');
    expect(resultOf('64:ff9b::10.0.0.1', policy)).toBe('transition');
    expect(resultOf('64:ff9b::10.0.0.1', { ...policy, allowPrivate: true })).toBe('ok');
    expect(resultOf('64:ff9b::8.8.8.8', {})).toBe('transition');
  });

  it.each(['', 'localhost', '127.1', '0177.0.0.1', '2130706433', '[::1]', '127.0.0.1 ', '1.2.3.4.5', '::g'])(
    'does not accept %j as an address',
    (text) => expect(resultOf(text, { allowLoopback: true })).toBe('invalid_address'),
  );
});
