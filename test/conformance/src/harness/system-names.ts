import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Decides, until the returned function is called, what the operating system's resolver says of names: an address, or an
 * error of this code. Other names are resolved as usual.
 */
export function decideNames(
  names: ReadonlyMap<string, () => { readonly address: string } | string>,
): () => void {
  const { lookup } = dns;
  const decided = async (hostname: string, options: object) => {
    const decide = names.get(hostname);
    if (decide === undefined) return lookup(hostname, options);
    const found = decide();
    if (typeof found !== 'string') return [{ ...found, family: 4 }];
    throw Object.assign(new Error(`getaddrinfo ${found} ${hostname}`), { code: found });
  };
  const install = (installed: unknown) => {
    Object.assign(dns, { lookup: installed });
    syncBuiltinESMExports();
  };
  install(decided);
  return () => install(lookup);
}
