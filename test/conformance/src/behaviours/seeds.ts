import { behaviours } from './behaviour.ts';

/** The calls of the documentation pages, as printed, and what the pages promise of the answers. */
export const SEEDS = behaviours({
  'seeds.000.quick-start': [
    'The create call of the quick start answers an id, and its agent registers, beats and reads its state.',
    'docs/contract/compatibility.md#remote-workspaces-guide; docs/decisions/0001-published-pages-work.md',
  ],
  'seeds.000.calls-a-peer': [
    'The A2A call of the phase table reaches a peer and brings its answer back.',
    'docs/contract/compatibility.md#remote-workspaces-guide',
  ],
  'seeds.000.lists-peers': [
    'The peers call answers the siblings with their URLs.',
    'docs/contract/compatibility.md#remote-workspaces-guide',
  ],
  'seeds.000.fetch-inbound': [
    'fetch_inbound with its two filters gives rows with every field of the page’s InboundMessage.',
    'docs/contract/compatibility.md#remote-workspaces-guide; docs/decisions/0015-inbound-message.md',
  ],
  'seeds.001.step-by-step': [
    'Steps 1, 2, 4 and 5 work as printed with an agent URL that does not resolve.',
    'docs/contract/compatibility.md#register-tutorial; docs/decisions/0001-published-pages-work.md',
  ],
  'seeds.001.register-answer': [
    'The register answer has auth_token, workspace_id, org_id and expires_at null.',
    'docs/contract/compatibility.md#register-tutorial',
  ],
  'seeds.001.on-the-canvas': [
    'After the heartbeat the workspace is listed online with runtime external.',
    'docs/contract/compatibility.md#register-tutorial',
  ],
  'seeds.001.minimal-python': [
    'The calls of the minimal Python agent work as printed.',
    'docs/contract/compatibility.md#register-tutorial',
  ],
  'seeds.001.revoking': [
    'Revoking the tokens, and removing the workspace, each make the old token useless.',
    'docs/contract/compatibility.md#register-tutorial',
  ],
  'seeds.002.by-hand': [
    'Steps 1, 2, 3, 5 and 6 work as printed in dev mode, the first two without a credential.',
    'docs/contract/compatibility.md#external-agents-page; docs/decisions/0001-published-pages-work.md',
  ],
  'seeds.002.answer-shape': [
    'The agent gets the request of step 4 and its answer in the page’s shape reaches the sender.',
    'docs/contract/compatibility.md#external-agents-page',
  ],
  'seeds.002.python-example': [
    'The Python example works as printed, with its agent listening where it says.',
    'docs/contract/compatibility.md#external-agents-page; docs/decisions/0001-published-pages-work.md',
  ],
  'seeds.002.gone': [
    'A removed workspace is a 410 with error, id, removed_at and hint, and readable for audits.',
    'docs/contract/presence.md#read-and-change; docs/contract/compatibility.md#external-agents-page',
  ],
  'seeds.default-port': [
    'The platform listens on port 8080 unless configured otherwise.',
    'docs/contract/compatibility.md#external-agents-page; docs/decisions/0001-published-pages-work.md',
  ],
});
