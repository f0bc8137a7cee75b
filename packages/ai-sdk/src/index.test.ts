import { expect, it } from 'vitest';
import * as aiSdk from './index.ts';

it('exports exactly these names', () => {
  expect(Object.keys(aiSdk).sort()).toEqual([
    'MemoryConversationStore',
    'boundaryMiddleware',
    'createAiSdkHandler',
    'createChatRoute',
    'createMolecule',
    'createPeerTools',
  ]);
});
