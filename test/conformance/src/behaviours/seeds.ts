import { behaviours } from './behaviour.ts';

/** The calls of the documentation pages, as printed, and what the pages promise of the answers. */
export const SEEDS = behaviours({
  'seeds.000.quick-start': [
    'The create call of the quick start answers an id, and its agent registers, beats and reads its state.',
    'seed 000, Quick Start and phases 30.1 and 30.4; decision 1',
  ],
  'seeds.000.calls-a-peer': [
    'The A2A call of the phase table reaches a peer and brings its answer back.',
    'seed 000, phase 30.5',
  ],
  'seeds.000.lists-peers': ['The peers call answers the siblings with their URLs.', 'seed 000, phase 30.6'],
  'seeds.000.fetch-inbound': [
    'fetch_inbound with its two filters gives rows with every field of the page’s InboundMessage.',
    'seed 000, fetch_inbound and InboundMessage; decision 15',
  ],
  'seeds.001.step-by-step': [
    'Steps 1, 2, 4 and 5 work as printed with an agent URL that does not resolve.',
    'seed 001, steps 1 to 5; decision 1',
  ],
  'seeds.001.register-answer': [
    'The register answer has auth_token, workspace_id, org_id and expires_at null.',
    'seed 001, step 2',
  ],
  'seeds.001.on-the-canvas': [
    'After the heartbeat the workspace is listed online with runtime external.',
    'seed 001, step 6',
  ],
  'seeds.001.minimal-python': [
    'The calls of the minimal Python agent work as printed.',
    'seed 001, agent code',
  ],
  'seeds.001.revoking': [
    'Revoking the tokens, and removing the workspace, each make the old token useless.',
    'seed 001, revoking and re-registering',
  ],
  'seeds.002.by-hand': [
    'Steps 1, 2, 3, 5 and 6 work as printed in dev mode, the first two without a credential.',
    'seed 002, steps 1 to 6; decision 1',
  ],
  'seeds.002.answer-shape': [
    'The agent gets the request of step 4 and its answer in the page’s shape reaches the sender.',
    'seed 002, step 4',
  ],
  'seeds.002.python-example': [
    'The Python example works as printed, with its agent listening where it says.',
    'seed 002, Python example; decision 1',
  ],
  'seeds.002.gone': [
    'A removed workspace is a 410 with error, id, removed_at and hint, and readable for audits.',
    'seed 002, removed status',
  ],
  'seeds.default-port': [
    'The platform listens on port 8080 unless told otherwise.',
    'seed 002, prerequisites; decision 1',
  ],
});
