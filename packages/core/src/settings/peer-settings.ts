import { isIP } from 'node:net';
import { ConfigurationError } from '../errors/configuration-error.ts';
import { type Environment, nameOption, readOption } from './environment.ts';

const DIRECT_CALLS = ['auto', 'always', 'off'] as const;

/** When a message goes to the peer's own server first; see `directCalls`. */
export type DirectCalls = (typeof DIRECT_CALLS)[number];

/** How peers are called. */
export interface PeerOptions {
  /**
   * Whether `callPeer` sends to the peer's own server first, and through the platform when that fails. `auto`: where the
   * platform gives a URL and a token for the peer. `always`: also without a token; then a call whose outcome is unknown fails and
   * is not repeated. `off`: never. @default 'auto'
   */
  directCalls?: DirectCalls | undefined;
  /**
   * Private networks in CIDR notation where peers may be called directly; besides them only addresses of the internet, and on
   * a platform at a loopback address also loopback and private ones. Link-local addresses never.
   * Environment: `MOLECULE_ALLOW_PEER_NETWORKS`, separated by commas. @default none
   */
  allowPeerNetworks?: readonly string[] | undefined;
}

/** Validated {@link PeerOptions}. */
export interface PeerSettings {
  readonly directCalls: DirectCalls;
  readonly peerAddresses: {
    readonly allowLoopback: boolean;
    readonly allowPrivate: boolean;
    readonly allowedNetworks: readonly string[];
  };
}

/** @throws ConfigurationError naming the option. */
export function resolvePeerSettings(
  { directCalls = 'auto', allowPeerNetworks }: PeerOptions,
  platformUrl: string,
  env: Environment,
): PeerSettings {
  if (!DIRECT_CALLS.includes(directCalls)) {
    throw new ConfigurationError(
      `directCalls must be ${DIRECT_CALLS.map((word) => `"${word}"`).join(' or ')}.`,
    );
  }
  const isLocal = isLoopback(new URL(platformUrl).hostname);
  const listed = readOption('allowPeerNetworks', undefined, env)?.split(',') ?? [];
  const allowedNetworks = (allowPeerNetworks ?? listed).map((network) => network.trim()).filter(Boolean);
  for (const network of allowedNetworks) checkNetwork(network);
  return Object.freeze({
    directCalls,
    peerAddresses: Object.freeze({ allowLoopback: isLocal, allowPrivate: isLocal, allowedNetworks }),
  });
}

function checkNetwork(network: string): void {
  const [address = '', length = '', ...rest] = network.split('/');
  const version = isIP(address);
  const isNetwork = version !== 0 && !address.includes('%') && /^\d{1,3}$/.test(length) && rest.length === 0;
  const isMapped = /^::ffff:/i.test(address);
  if (isNetwork && !isMapped && Number(length) <= (version === 4 ? 32 : 128)) return;
  throw new ConfigurationError(
    `${nameOption('allowPeerNetworks')}: ${JSON.stringify(network.slice(0, 80))} is not a network.`,
    { hint: 'Use CIDR notation, such as 10.20.0.0/16 or fd12:3456::/32.' },
  );
}

function isLoopback(hostname: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i.test(hostname);
}
