import { behaviours } from './behaviour.ts';

/** Whether the platform reaches the server of an agent. */
export const PROBE = behaviours({
  'probe.reachable': [
    'An agent that returns the id of the token at its card is reachable, at its origin or below its URL, also before it registers the URL.',
    'docs/contract/presence.md#probe',
  ],
  'probe.reasons': [
    'What is not reached has one of a closed list of reasons, and nothing of a response is passed on.',
    'docs/contract/presence.md#probe; docs/contract/presence.md#agent-addresses',
  ],
  'probe.wrong-agent': [
    'A server that responds without the id of the token, or with another one, is not the agent.',
    'docs/contract/presence.md#probe; docs/decisions/0051-peer-tokens.md',
  ],
  'probe.no-redirect': [
    'A probe follows no redirect and reads no body.',
    'docs/contract/presence.md#probe; docs/contract/presence.md#agent-addresses',
  ],
  'probe.timeout': [
    'A probe of a server that never responds ends after eight seconds.',
    'docs/contract/presence.md#probe',
  ],
  'probe.access': [
    'A workspace and operators may probe it, nobody else; without any URL it is a 400 url_required.',
    'docs/contract/presence.md#probe; docs/contract/authentication.md#who-may-call-a-route',
  ],
  'probe.rate': [
    'A workspace may be probed six times a minute, then 429 rate_limited with the scope probe.',
    'docs/contract/presence.md#probe; docs/contract/limits.md#rates',
  ],
});
