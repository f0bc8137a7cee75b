import { inspect } from 'node:util';
import { Dispatcher, EnvHttpProxyAgent } from 'undici';
import { describe, expect, it } from 'vitest';
import { isExempt, resolveProxy } from './platform-proxy.ts';

const HTTP = 'http://platform.test:8080';
const HTTPS = 'https://platform.test';
const ONE = 'http://one:3128';
const TWO = 'http://two:3128';

/** Proxy and variable, as `one:3128 of http_proxy`; `null` for none. */
function proxyOf(platform: string, env: NodeJS.ProcessEnv): string | null {
  const proxy = resolveProxy(undefined, new URL(platform), env);
  return proxy && `${proxy.host} of ${proxy.setting}`;
}

describe('the proxy of the environment', () => {
  it.each<[string, NodeJS.ProcessEnv, string | null]>([
    [HTTP, {}, null],
    [HTTP, { HTTP_PROXY: ONE }, 'one:3128 of HTTP_PROXY'],
    [HTTP, { HTTP_PROXY: ONE, http_proxy: TWO }, 'two:3128 of http_proxy'],
    [HTTP, { HTTP_PROXY: ONE, http_proxy: '' }, null],
    [HTTP, { HTTPS_PROXY: ONE }, null],
    [HTTP, { HTTP_PROXY: ' one:3128 ' }, 'one:3128 of HTTP_PROXY'],
    [HTTP, { HTTP_PROXY: 'http://one' }, 'one:80 of HTTP_PROXY'],
    [HTTP, { HTTP_PROXY: 'https://one' }, 'one:443 of HTTP_PROXY'],
    [HTTP, { HTTP_PROXY: 'http://[fd00::1]:3128/' }, '[fd00::1]:3128 of HTTP_PROXY'],
    [HTTPS, { HTTP_PROXY: ONE, HTTPS_PROXY: TWO }, 'two:3128 of HTTPS_PROXY'],
    [HTTPS, { https_proxy: ONE, HTTPS_PROXY: TWO }, 'one:3128 of https_proxy'],
    [HTTPS, { HTTP_PROXY: ONE }, 'one:3128 of HTTP_PROXY'],
    [HTTPS, { http_proxy: ONE, HTTPS_PROXY: ' ' }, 'one:3128 of http_proxy'],
    [HTTPS, { HTTP_PROXY: ONE, no_proxy: '', NO_PROXY: '*' }, 'one:3128 of HTTP_PROXY'],
    [HTTPS, { HTTP_PROXY: ONE, no_proxy: '*', NO_PROXY: '' }, null],
    [HTTPS, { ALL_PROXY: ONE }, null],
  ])('of %s with %j is %s', (platform, env, expected) => {
    expect(proxyOf(platform, env)).toBe(expected);
  });

  it.each([
    'http://localhost:8080',
    'http://LOCALHOST.:8080',
    'http://molecule.localhost',
    'http://127.0.0.1:8080',
    'http://127.1.2.3',
    'http://2130706433',
    'http://[::1]:8080',
    'http://[::ffff:127.0.0.1]',
  ])('is not used for %s', (platform) => {
    expect(proxyOf(platform, { http_proxy: ONE })).toBeNull();
    expect(resolveProxy(ONE, new URL(platform), {})?.host).toBe('one:3128');
  });

  it.each(['http://localhost.example', 'http://127.example', 'http://128.0.0.1', 'http://[::2]'])(
    'is used for %s',
    (platform) => {
      expect(proxyOf(platform, { http_proxy: ONE })).not.toBeNull();
    },
  );

  it('is not looked at when the option decides, or the platform is exempt', () => {
    const env = { HTTP_PROXY: 'socks5://one' };
    expect(resolveProxy(false, new URL(HTTP), env)).toBeNull();
    expect(resolveProxy(TWO, new URL(HTTP), env)?.host).toBe('two:3128');
    expect(proxyOf(HTTP, { ...env, NO_PROXY: 'platform.test' })).toBeNull();
    expect(() => proxyOf(HTTP, env)).toThrow('HTTP_PROXY names a SOCKS proxy');
  });
});

it('keeps the credentials of a proxy out of sight', () => {
  const proxy = resolveProxy('http://user%40office:p%2Fss@one:3128', new URL(HTTP), {});
  const same = resolveProxy('http://user%40office:p%2Fss@one:3128', new URL(HTTPS), {});
  const other = resolveProxy('http://user%40office:other@one:3128', new URL(HTTP), {});
  const without = resolveProxy('http://one:3128', new URL(HTTP), {});
  expect(proxy?.authorization).toBe(`Basic ${Buffer.from('user@office:p/ss').toString('base64')}`);
  expect(without?.authorization).toBeNull();
  const ids = new Set([proxy, same, other, without].map((each) => each?.id));
  expect(ids.size).toBe(3);
  const shown = [...ids, inspect(proxy, { depth: 9, showHidden: true }), JSON.stringify(proxy)].join();
  expect(shown).toContain('one:3128');
  expect(shown).not.toMatch(/p%2Fss|p\/ss|user|Basic/);
});

const HOSTS = [
  'http://platform.test',
  'http://platform.test:8080',
  'https://platform.test',
  'http://sub.platform.test.',
  'http://otherplatform.test',
  'http://10.1.2.3',
  'http://[fd00::1]:8080',
];
const LISTS = [
  '',
  '*',
  '*:8080',
  'none.test *',
  'platform.test',
  'PLATFORM.test.',
  '.platform.test',
  '*.platform.test',
  '*platform.test',
  'platform.test:8080',
  'platform.test:443',
  'sub.platform.test,other.test',
  'latform.test',
  'test',
  '.',
  '10.1.2.3',
  '10.1.2',
  'fd00::1',
  '[fd00::1]',
  '[fd00::1]:8080',
  '[fd00::1]:80',
  '   ,, ',
];

/** Whether undici's agent sends a request for this host without the proxy. */
async function isExemptForUndici(host: string, noProxy: string): Promise<boolean> {
  let isDirect: boolean | undefined;
  class Origin extends Dispatcher {
    override dispatch(): boolean {
      return true;
    }
    override async close(): Promise<void> {}
    override async destroy(): Promise<void> {}
  }
  const agent = new EnvHttpProxyAgent({
    httpProxy: ONE,
    noProxy,
    proxyTunnel: false,
    factory: (origin) => {
      isDirect = !String(origin).startsWith(ONE);
      return new Origin();
    },
    clientFactory: () => new Origin(),
  });
  const handler = { onRequestStart: () => {}, onResponseError: () => {} };
  // Its factory names the origin of the platform for https, whatever the proxy.
  const origin = host.startsWith('https:') ? `${host.replace('https:', 'http:')}:443` : host;
  agent.dispatch({ origin, path: '/', method: 'GET' }, handler);
  await agent.destroy();
  if (isDirect === undefined) throw new Error('nothing was dispatched');
  return isDirect;
}

describe('NO_PROXY', () => {
  it.each(LISTS)('means for "%s" what it means for undici', async (list) => {
    for (const host of HOSTS) {
      expect(isExempt(new URL(host), list), host).toBe(await isExemptForUndici(host, list));
    }
  });

  it.each<[string, string, boolean]>([
    ['http://10.1.2.3', '10.0.0.0/8', true],
    ['http://11.1.2.3', '10.0.0.0/8', false],
    ['http://10.1.2.3', '10.1.2.3/32', true],
    ['http://10.1.2.3', '10.0.0.0/33', false],
    ['http://10.1.2.3', '10.0.0.0/', false],
    ['http://10.1.2.3', 'fd00::/8', false],
    ['http://[fd00::1]', 'fd00::/8', true],
    ['http://[fd00::1]', '10.0.0.0/8', false],
    ['http://ten.test', '10.0.0.0/8', false],
    ['http://10.1.2.3:8080', '10.0.0.0/8:8080', true],
    ['http://10.1.2.3:8080', '10.0.0.0/8:80', false],
  ])('has networks: %s in %s is %s', (host, list, expected) => {
    expect(isExempt(new URL(host), list)).toBe(expected);
  });
});
