/** Every reason for which the guard refuses, in no order of importance. The list is closed. */
export const REFUSAL_REASONS = [
  'invalid_url',
  'unsupported_scheme',
  'credentials_in_url',
  'invalid_address',
  'zone_id',
  'link_local',
  'metadata',
  'loopback',
  'private',
  'carrier_grade_nat',
  'unspecified',
  'multicast',
  'broadcast',
  'transition',
  'reserved',
  'address_changed',
] as const;

/** Why a URL, a host or an address was refused. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

interface Wording {
  /** Completes "<host> …". */
  message: string;
  hint: string;
}

const PUBLIC_HINT = 'Use a publicly routable address.';
const NETWORK_HINT = 'If this network is yours, list its CIDR in allowedNetworks.';
const NEVER_HINT = 'No setting allows this address.';

const WORDING: Readonly<Record<RefusalReason, Wording>> = {
  invalid_url: {
    message: 'is not a valid host of an http or https URL',
    hint: 'Give an absolute URL such as https://agent.example.com.',
  },
  unsupported_scheme: {
    message: 'is not addressed by http or https',
    hint: 'Give a URL that begins with http:// or https://.',
  },
  credentials_in_url: {
    message: 'is given with a user name or password in the URL',
    hint: 'Remove everything before the @ in the URL.',
  },
  invalid_address: { message: 'is not at an IP address that can be judged', hint: PUBLIC_HINT },
  zone_id: { message: 'is at an address with a zone id', hint: NEVER_HINT },
  link_local: { message: 'is at a link-local address', hint: NEVER_HINT },
  metadata: { message: 'is at a cloud metadata address', hint: NEVER_HINT },
  loopback: {
    message: 'is at a loopback address',
    hint: 'Set allowLoopback to reach programs on this machine, or give the agent a public address.',
  },
  private: {
    message: 'is at a private address',
    hint: 'Set allowPrivate, or list the network in allowedNetworks.',
  },
  carrier_grade_nat: { message: 'is at a shared (carrier-grade NAT) address', hint: NETWORK_HINT },
  unspecified: { message: 'is at an unspecified address', hint: PUBLIC_HINT },
  multicast: { message: 'is at a multicast address', hint: PUBLIC_HINT },
  broadcast: { message: 'is at the broadcast address', hint: PUBLIC_HINT },
  transition: { message: 'is at an IPv6 address that carries an IPv4 address', hint: NETWORK_HINT },
  reserved: { message: 'is at a reserved address', hint: PUBLIC_HINT },
  address_changed: {
    message: 'was connected at an address that had not been vetted',
    hint: 'The connection was closed before anything was sent over HTTP.',
  },
};

/** The sentence for a refusal. It names the host only: no credentials, path or query, and no address behind a name. */
export function describeRefusal(host: string, reason: RefusalReason): string {
  return `${host} ${WORDING[reason].message}.`;
}

/** What the reader of a refusal can do about it. */
export function hintForRefusal(reason: RefusalReason): string {
  return WORDING[reason].hint;
}
