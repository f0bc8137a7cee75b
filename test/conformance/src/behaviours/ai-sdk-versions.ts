import { behaviours } from './behaviour.ts';

/** The adapter with each version of the AI SDK that it takes. */
export const AI_SDK_VERSIONS = behaviours({
  'ai-sdk.versions-types': [
    'The declarations of the adapter compile in strict projects with the oldest and the newest AI SDK 6 and 7, as ES modules and as CommonJS.',
    'docs/decisions/0112-suite-for-adapters.md',
  ],
});
