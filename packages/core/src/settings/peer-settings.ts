import { isIP } from 'node:net';
import { ConfigurationError } from '../errors/configuration-error.ts';
import { checkWord } from './checked-values.ts';
import { type Environment, nameOption, readOption } from './environment.ts';

const DIRECT_CALLS = ['auto', 'always', 'off'] as const;

/** When a message goes to the peer's own server first; see `directCalls`. */
export type DirectCalls = (typeof DIRECT_CALLS)[number];

const PEER_CHANGE_POLICIES = ['warn', 'block'] as const;

/** See `onPeerChange`. */
export type PeerChangePolicy = (typeof PEER_CHANGE_POLICIES)[number];

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
  /**
   * What happens when the name, the card or the origin of the URL of a peer is another one than when the peer was first used. `warn`
   * logs it and emits `peer-changed`. `block` also refuses calls to it with `peer_changed` until `acceptPeerChange`; each peer is
   * then looked up before it is called, also through the platform. @default 'warn'
   */
  onPeerChange?: PeerChangePolicy | undefined;
}

/** Validated {@link PeerOptions}. */
export interface PeerSettings {
  readonly onPeerChange: PeerChangePolicy;
  readonly directCalls: DirectCalls;
  readonly peerAddresses: {
    readonly allowLoopback: boolean;
    readonly allowPrivate: boolean;
    readonly allowedNetworks: readonly string[];
  };
}

/** @throws ConfigurationError naming the option. */
export function resolvePeerSettings(
  { directCalls = 'auto', allowPeerNetworks, onPeerChange = 'warn' }: PeerOptions,
  platformUrl: string,
  env: Environment,
): PeerSettings {
  checkWord('directCalls', directCalls, DIRECT_CALLS);
  checkWord('onPeerChange', onPeerChange, PEER_CHANGE_POLICIES);
  const isLocal = isLoopback(new URL(platformUrl).hostname);
  const listed = readOption('allowPeerNetworks', undefined, env)?.split(',') ?? [];
  checkList('allowPeerNetworks', allowPeerNetworks ?? listed);
  const allowedNetworks = (allowPeerNetworks ?? listed).map((network) => network.trim()).filter(Boolean);
  for (const network of allowedNetworks) checkNetwork(network);
  return Object.freeze({
    directCalls,
    onPeerChange,
    peerAddresses: Object.freeze({ allowLoopback: isLocal, allowPrivate: isLocal, allowedNetworks }),
  });
}

function checkList(option: 'allowPeerNetworks', list: unknown): void {
  if (Array.isArray(list) && list.every((each) => typeof each === 'string')) return;
  throw new ConfigurationError(`${nameOption(option)} must be a list of texts.`, {
    hint: "For example ['10.20.0.0/16']; the environment variable separates them by commas.",
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
