import { behaviours } from './behaviour.ts';

const PAGE = 'docs/contract/ai-sdk.md#versions';

/** The adapter with each version of the AI SDK that it takes. */
export const AI_SDK_VERSIONS = behaviours({
  'ai-sdk.versions-types': [
    'The declarations of the adapter compile in strict projects with the oldest and the newest AI SDK 6 and 7, as ES modules and as CommonJS.',
    PAGE,
  ],
  'ai-sdk.versions-run': [
    'Tools, the middleware, a peer as a model, the handler and the chat route run with the oldest and the newest AI SDK 6 and 7, beside zod 3.25, 4.1 and newer, as ES modules and as CommonJS; models get the same schemas, and nothing is printed.',
    PAGE,
  ],
  'ai-sdk.versions-samples': [
    'The samples of the README compile with the oldest and the newest AI SDK 6 and 7; lines for version 7 alone are marked.',
    PAGE,
  ],
  'ai-sdk.versions-suite': [
    'The suite for adapters holds with version 6 of the AI SDK as with version 7.',
    'docs/decisions/0112-suite-for-adapters.md',
  ],
});
