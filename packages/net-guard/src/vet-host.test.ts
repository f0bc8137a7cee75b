import { describe, expect, it, vi } from 'vitest';
import { createAddressGuard } from './address-guard.ts';
import type { AddressPolicy } from './address-policy.ts';
import { AddressRefusedError } from './address-refused-error.ts';

function guardResolving(addresses: string[], policy: AddressPolicy = {}) {
  const resolve = vi.fn(async (_hostname: string) => addresses.map((address) => ({ address })));
  return { resolve, guard: createAddressGuard({ policy, resolve }) };
}

async function refusalOf(work: Promise<unknown>): Promise<AddressRefusedError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!AddressRefusedError.isInstance(error)) throw new Error(`Not refused: ${String(error)}`);
  return error;
}

describe('vetHost', () => {
  it('resolves a name once and returns its addresses in canonical form', async () => {
    const { guard, resolve } = guardResolving(['8.8.8.8', '2001:4860:4860:0::8888', '::ffff:1.1.1.1']);
    expect(await guard.vetHost('Agent.Example.')).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2001:4860:4860::8888', family: 6 },
      { address: '1.1.1.1', family: 4 },
    ]);
    expect(resolve.mock.calls).toEqual([['agent.example']]);
  });

  it.each([
    [['10.0.0.1'], 'private'],
    [['8.8.8.8', '127.0.0.1'], 'loopback'],
    [['127.0.0.1', '8.8.8.8'], 'loopback'],
    [['8.8.8.8', '::ffff:10.0.0.1'], 'private'],
    [['8.8.8.8', '64:ff9b::a9fe:a9fe'], 'metadata'],
    [['2606:4700::1111', 'fe80::1%eth0'], 'zone_id'],
    [['8.8.8.8', 'not an address'], 'invalid_address'],
  ])('refuses a name with the addresses %j', async (addresses, reason) => {
    const { guard } = guardResolving(addresses);
    expect((await refusalOf(guard.vetHost('agent.example'))).reason).toBe(reason);
  });

  it.each(['127.1', '[::1]', '::1', '0x7f000001', 'localhost', 'LOCALHOST.', 'a.localhost'])(
    'refuses %s without resolving it',
    async (hostname) => {
      const { guard, resolve } = guardResolving(['8.8.8.8']);
      expect((await refusalOf(guard.vetHost(hostname))).reason).toBe('loopback');
      expect(resolve).not.toHaveBeenCalled();
    },
  );

  it.each([
    ['', 'invalid_url'],
    ['a/b', 'invalid_url'],
    ['user@agent.example', 'invalid_url'],
    ['agent.example:80', 'invalid_url'],
    ['agent.example?x', 'invalid_url'],
    ['fe80::1%eth0', 'zone_id'],
    ['[fe80::1%25eth0]', 'zone_id'],
  ])('refuses %j, which is not one host', async (hostname, reason) => {
    const { guard } = guardResolving(['8.8.8.8']);
    expect((await refusalOf(guard.vetHost(hostname))).reason).toBe(reason);
  });

  it('checks the addresses of localhost', async () => {
    const policy = { allowedNetworks: ['127.0.0.0/8'] };
    expect(await guardResolving(['127.0.0.1'], policy).guard.vetHost('localhost')).toHaveLength(1);
    const both = guardResolving(['127.0.0.1', '::1'], policy);
    expect((await refusalOf(both.guard.vetHost('localhost'))).reason).toBe('loopback');
    const dev = guardResolving(['127.0.0.1', '::1'], { allowLoopback: true });
    expect(await dev.guard.vetHost('localhost')).toHaveLength(2);
  });

  it('reports a name that does not resolve as a connection error with its cause', async () => {
    const cause = Object.assign(new Error('getaddrinfo ENOTFOUND agent.invalid'), { code: 'ENOTFOUND' });
    const guard = createAddressGuard({ resolve: () => Promise.reject(cause) });
    const failure = guard.vetHost('agent.invalid');
    await expect(failure).rejects.toMatchObject({ code: 'ENOTFOUND', hostname: 'agent.invalid', cause });
    await expect(failure).rejects.not.toSatisfy(AddressRefusedError.isInstance);
    await expect(guardResolving([]).guard.vetHost('agent.invalid')).rejects.toMatchObject({
      code: 'ENOTFOUND',
    });
  });

  it('uses the resolver of the operating system by default', async () => {
    const guard = createAddressGuard({ policy: { allowLoopback: true } });
    for (const { address } of await guard.vetHost('localhost'))
      expect(['127.0.0.1', '::1']).toContain(address);
  });
});

describe('AddressRefusedError', () => {
  it('has a hint, and does not reveal the resolved address', async () => {
    const { guard } = guardResolving(['10.9.8.7']);
    const error = await refusalOf(guard.vetHost('agent.example'));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'AddressRefusedError',
      code: 'address_refused',
      host: 'agent.example',
    });
    expect(error.message).toBe('agent.example has a private address.');
    expect(error.hint).toContain('allowPrivate');
    expect(error.address).toBe('10.9.8.7');
    expect(JSON.stringify(error)).not.toContain('10.9.8.7');
  });

  it('is recognised across copies of the package, by its brand', () => {
    const foreign = Object.assign(new Error('x'), {
      [Symbol.for('@molecule-ai/net-guard/address-refused-error')]: true,
    });
    expect(AddressRefusedError.isInstance(foreign)).toBe(true);
    expect(AddressRefusedError.isInstance(new Error('x'))).toBe(false);
    expect(AddressRefusedError.isInstance(null)).toBe(false);
    expect(AddressRefusedError.isInstance({ code: 'address_refused' })).toBe(false);
  });
});
