/**
 * Words by which a platform says what it offers, in the header `X-Molecule-Capabilities` of each response and in
 * `capabilities` of register and heartbeat responses. A reader ignores words it does not know.
 */
export const CAPABILITIES = [
  'acknowledge',
  'long-poll',
  'message-dedupe',
  'outcomes',
  'message-status',
  'questions',
  'cancel',
  'instances',
  'probe',
  'stream',
  'peer-tokens',
  'compact-feed',
  'history',
] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** The response header that lists them, comma-separated; lower case, as Node gives header names. */
export const CAPABILITIES_HEADER = 'x-molecule-capabilities';

/** Reads the header's value; unknown words are left out. */
export function parseCapabilities(value: string | undefined): ReadonlySet<Capability> {
  const words = new Set((value ?? '').split(',').map((word) => word.trim().toLowerCase()));
  return new Set(CAPABILITIES.filter((word) => words.has(word)));
}
