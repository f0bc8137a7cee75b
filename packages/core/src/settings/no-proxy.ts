/**
 * Whether a `NO_PROXY` exempts the host of a URL. Entries are separated by commas or white space: a name, which includes the names
 * below it, `*.name` for those below it only, an address, a network such as `10.0.0.0/8`, each with `:port` if only that
 * port is meant; `*` is everything.
 */
export function isExempt(url: URL, noProxy: string): boolean {
  const host = bareHost(url);
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  return noProxy
    .toLowerCase()
    .split(/[,\s]+/)
    .some((entry) => entry !== '' && matches(entry, host, port));
}

/** Whether the host is this machine: no proxy can reach it. */
export function isLoopback(url: URL): boolean {
  const host = bareHost(url);
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    /^127\.\d+\.\d+\.\d+$/.test(host) ||
    /^::ffff:7f[0-9a-f]{2}:/.test(host)
  );
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
  const { BlockList, isIP } = process.getBuiltinModule('node:net');
  const [address = '', prefix = ''] = network.split('/');
  const bits = /^\d+$/.test(prefix) ? Number(prefix) : Number.NaN;
  const family = isIP(address);
  if (family === 0 || isIP(host) === 0 || !(bits <= (family === 4 ? 32 : 128))) return false;
  const list = new BlockList();
  list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}
