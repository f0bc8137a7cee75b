import { behaviours } from './behaviour.ts';

/** The samples in the response to the creation of a workspace. */
export const SNIPPETS = behaviours({
  'snippets.curl': [
    'The curl sample registers the agent as it is printed, whatever its name contains.',
    'docs/contract/presence.md#create',
  ],
  'snippets.python': [
    'The Python sample is an agent that runs without packages: it registers, answers people and workspaces, and acknowledges.',
    'docs/contract/presence.md#create',
  ],
  'snippets.typescript': [
    'The TypeScript sample is an agent that runs as it is printed.',
    'docs/contract/presence.md#create',
  ],
  'snippets.address': [
    'The samples of a workspace that was created with a URL register this URL, so that messages are still pushed to it.',
    'docs/contract/presence.md#create',
  ],
  'snippets.organisation': [
    'The samples name the organisation where the platform asks for it.',
    'docs/contract/presence.md#create',
  ],
});
