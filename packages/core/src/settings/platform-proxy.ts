import { createHash } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { ConfigurationError } from '../errors/molecule-error.ts';
import type { Environment } from './node-types.ts';
import { describe, type Refuse } from './options.ts';

/** What {@link PlatformProxy.setting} is when no environment variable named the proxy. */
export const PROXY_OPTION = 'the option connection.proxy';
const EXAMPLE = 'For example http://proxy.internal:3128.';

/** The HTTP proxy between a client and its platform. Its credentials are in no field, so that no log shows them. */
export class PlatformProxy {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Host and port. */
  readonly host: string;
  /** What named it: an environment variable, or {@link PROXY_OPTION}. */
  readonly setting: string;
  /** Differs for other credentials, and does not contain them. */
  readonly id: string;
  readonly #authorization: string | null;

  constructor(url: URL, setting: string, authorization: string | null) {
    this.origin = url.origin;
    this.host = `${url.hostname}:${portOf(url)}`;
    this.setting = setting;
    this.id = `${url.origin} ${createHash('sha256').update(String(authorization)).digest('base64url')}`;
    this.#authorization = authorization;
  }

  /** The header `Proxy-Authorization`; secret. */
  get authorization(): string | null {
    return this.#authorization;
  }
}

/**
 * The proxy for requests to the platform; `null` for none. Without the option the environment decides, as for undici's
 * `EnvHttpProxyAgent`, and a platform on this machine gets none.
 * @throws ConfigurationError that names option or variable, and not the value, because a password may be in it.
 */
export function resolveProxy(
  option: string | false | undefined,
  platform: URL,
  env: Environment,
): PlatformProxy | null {
  if (option === false) return null;
  if (option !== undefined) return parseProxy(option, PROXY_OPTION);
  const [variable, value] = variableFor(platform, env);
  if (!value || isLoopback(platform)) return null;
  if (isExempt(platform, env.no_proxy ?? env.NO_PROXY ?? '')) return null;
  return parseProxy(value, variable);
}

/** The option `proxy`. */
export function checkProxyOption(option: unknown, refuse: Refuse): string | false | undefined {
  if (option === undefined || option === false) return option;
  if (typeof option === 'string') return option.trim();
  return refuse(
    `must be the URL of a proxy or false, got ${describe(option)}`,
    `${EXAMPLE} Leave it out to use HTTPS_PROXY, HTTP_PROXY and NO_PROXY.`,
  );
}

/** Lower case first; an https platform without a variable of its own uses that of http. */
function variableFor({ protocol }: URL, env: Environment): readonly [string, string | undefined] {
  const named = (lower: string) => {
    const name = env[lower] === undefined ? lower.toUpperCase() : lower;
    return [name, env[name]?.trim()] as const;
  };
  const secure = named('https_proxy');
  return protocol === 'https:' && secure[1] ? secure : named('http_proxy');
}

function parseProxy(text: string, setting: string): PlatformProxy {
  const name = setting === PROXY_OPTION ? 'connection.proxy' : setting;
  const wrong = (problem: string, hint: string) => new ConfigurationError(`${name} ${problem}.`, { hint });
  const given = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url?.protocol.startsWith('socks')) {
    const hint = `Name an HTTP proxy, or pass a dispatcher: Socks5ProxyAgent of undici. ${EXAMPLE}`;
    throw wrong('names a SOCKS proxy, which is not supported', hint);
  }
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    const hint = `${EXAMPLE} Percent-encode special characters of a password.`;
    throw wrong('must be the http or https URL of a proxy', hint);
  }
  const credentials = decoded(`${url.username}:${url.password}`);
  // What follows a slash in a password is a path.
  if (credentials === undefined || url.pathname + url.search + url.hash !== '/') {
    const hint = 'Percent-encode special characters of the password, such as %2F for a slash.';
    throw wrong('must be a URL of user name, password, host and port only', hint);
  }
  const basic = `Basic ${Buffer.from(credentials).toString('base64')}`;
  return new PlatformProxy(url, setting, credentials === ':' ? null : basic);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * Whether a `NO_PROXY` exempts the host of a URL. Entries are separated by commas or white space: a name, which includes the names
 * below it, `*.name` for those below it only, an address, a network such as `10.0.0.0/8`, each with `:port` if only that
 * port is meant; `*` is everything.
 */
export function isExempt(url: URL, noProxy: string): boolean {
  const host = bareHost(url);
  const port = portOf(url);
  return noProxy
    .toLowerCase()
    .split(/[,\s]+/)
    .some((entry) => entry !== '' && matches(entry, host, port));
}

/** Whether the host is this machine: no proxy can reach it. */
export function isLoopback(url: URL): boolean {
  return isExempt(url, 'localhost,127.0.0.0/8,::1');
}

function portOf({ port, protocol }: URL): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

/** In lower case, without brackets and the dot of the root. */
function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function matches(entry: string, host: string, port: number): boolean {
  const withPort = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(entry);
  if (withPort !== null && Number(withPort[3]) !== port) return false;
  const name = withPort?.[1] ?? withPort?.[2] ?? entry.replace(/^\[(.*)\]$/, '$1');
  if (name === '*') return true;
  if (name.includes('/')) return isInNetwork(host, name);
  const domain = name.replace(/^\*?\./, '').replace(/\.$/, '');
  return (host === domain && !name.startsWith('*.')) || host.endsWith(`.${domain}`);
}

function isInNetwork(host: string, network: string): boolean {
  const [address = '', prefix = ''] = network.split('/');
  const bits = /^\d+$/.test(prefix) ? Number(prefix) : Number.NaN;
  const family = isIP(address);
  if (family === 0 || isIP(host) === 0 || !(bits <= (family === 4 ? 32 : 128))) return false;
  const list = new BlockList();
  list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}
