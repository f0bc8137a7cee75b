import { readFileSync } from 'node:fs';
import { ConnectProxy, type ConnectProxyOptions } from '@molecule-tests/harness';
import { expect, vi } from 'vitest';
import type { TestEnvironment } from './test-environment.ts';

/** A name that only the proxies of tests resolve: what reaches it has passed one. */
export const PLATFORM_HOST = 'platform.test';
/** Self-signed, for `platform.test` and `localhost`. */
export const PLATFORM_CERTIFICATE = JSON.parse(
  readFileSync(new URL('../../data/platform-test-certificate.json', import.meta.url), 'utf8'),
) as { readonly key: string; readonly cert: string };

export async function startProxy(
  environment: TestEnvironment,
  options: ConnectProxyOptions = {},
): Promise<ConnectProxy> {
  const proxy = await ConnectProxy.start({ hosts: { [PLATFORM_HOST]: '127.0.0.1' }, ...options });
  environment.onCleanup(() => proxy.stop());
  return proxy;
}

/** The same server by the name that needs a proxy. */
export function behindProxy({ url }: { readonly url: string }): { readonly url: string } {
  const named = new URL(url);
  named.hostname = PLATFORM_HOST;
  return { url: named.origin };
}

const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'] as const;

/** Sets the variables of proxies for clients that are made from now on in this test; the others are unset. */
export function setProxies(
  environment: TestEnvironment,
  values: Partial<Record<(typeof VARIABLES)[number], string>>,
): void {
  for (const name of VARIABLES) vi.stubEnv(name, values[name]);
  environment.onCleanup(() => void vi.unstubAllEnvs());
}

/** All of a proxy's targets are the platform. */
export function expectOnly(proxy: ConnectProxy, platform: { readonly url: string }): void {
  expect(new Set(proxy.targets)).toEqual(new Set([new URL(behindProxy(platform).url).host]));
  expect(new Set(proxy.requests.map(({ method }) => method))).toEqual(new Set(['CONNECT']));
}
