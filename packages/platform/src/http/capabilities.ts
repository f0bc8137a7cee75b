import { CAPABILITIES_HEADER, type Capability } from '@molecule-ai/protocol';

/** What this platform offers beyond the oldest platforms of the family; clients rely on nothing that is not here. */
export const OFFERED_CAPABILITIES = [
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
] as const satisfies readonly Capability[];

/** The response header that lists them. */
export const CAPABILITIES_HEADERS = { [CAPABILITIES_HEADER]: OFFERED_CAPABILITIES.join(',') };
