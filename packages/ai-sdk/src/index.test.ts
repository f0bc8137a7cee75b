import { expect, it } from 'vitest';
import * as chat from './chat.ts';
import * as aiSdk from './index.ts';

it('exports exactly these names', () => {
  expect(Object.keys(aiSdk).sort()).toEqual([
    'MemoryConversationStore',
    'boundaryMiddleware',
    'createAiSdkHandler',
    'createMolecule',
    'createPeerTools',
    'createSkillTool',
  ]);
  expect(Object.keys(chat)).toEqual(['createChatRoute']);
});
