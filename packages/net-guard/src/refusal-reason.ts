/** All reasons for a refusal. The list is closed. */
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
const NETWORK_HINT = 'If this is your own network, add its CIDR to allowedNetworks.';
const NEVER_HINT = 'No setting allows this address.';

const WORDING: Readonly<Record<RefusalReason, Wording>> = {
  invalid_url: {
    message: 'is not a valid host of an http or https URL',
    hint: 'Use an absolute URL such as https://agent.example.com.',
  },
  unsupported_scheme: {
    message: 'is not an http or https URL',
    hint: 'Use a URL that starts with http:// or https://.',
  },
  credentials_in_url: {
    message: 'has a user name or password in the URL',
    hint: 'Remove everything before the @ in the URL.',
  },
  invalid_address: { message: 'has an invalid IP address', hint: PUBLIC_HINT },
  zone_id: { message: 'has an address with a zone id', hint: NEVER_HINT },
  link_local: { message: 'has a link-local address', hint: NEVER_HINT },
  metadata: { message: 'has a cloud metadata address', hint: NEVER_HINT },
  loopback: {
    message: 'has a loopback address',
    hint: 'Set allowLoopback to reach programs on this machine, or give the agent a public address.',
  },
  private: {
    message: 'has a private address',
    hint: 'Set allowPrivate, or add the network to allowedNetworks.',
  },
  carrier_grade_nat: { message: 'has a shared (carrier-grade NAT) address', hint: NETWORK_HINT },
  unspecified: { message: 'has an unspecified address', hint: PUBLIC_HINT },
  multicast: { message: 'has a multicast address', hint: PUBLIC_HINT },
  broadcast: { message: 'has the broadcast address', hint: PUBLIC_HINT },
  transition: { message: 'has an IPv6 address that embeds an IPv4 address', hint: NETWORK_HINT },
  reserved: { message: 'has a reserved address', hint: PUBLIC_HINT },
  address_changed: {
    message: 'was connected to an address that had not been vetted',
    hint: 'The connection was closed before an HTTP request was sent.',
  },
};

/** The message of a refusal. It contains the host only: no credentials, path or query, and no resolved address. */
export function describeRefusal(host: string, reason: RefusalReason): string {
  return `${host} ${WORDING[reason].message}.`;
}

/** What to do about a refusal. */
export function hintForRefusal(reason: RefusalReason): string {
  return WORDING[reason].hint;
}
