import { expect, it } from 'vitest';
import * as langchain from './index.ts';

it('exports exactly these names', () => {
  expect(Object.keys(langchain).sort()).toEqual([
    'StripBoundaryOutputParser',
    'createLangChainHandler',
    'createPeerRunnable',
    'createPeerTools',
    'createSkillTool',
    'peerMessageHistory',
    'peersMiddleware',
  ]);
});
