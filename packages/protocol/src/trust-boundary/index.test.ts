import { expect, it } from 'vitest';
import * as trustBoundary from './index.ts';

it('exports exactly these names', () => {
  expect(Object.keys(trustBoundary).sort()).toEqual([
    'PEER_BOUNDARY_END',
    'PEER_BOUNDARY_START',
    'fencePeerText',
    'peerTextInstructions',
    'stripA2aBoundary',
    'wrapA2aBoundary',
  ]);
});
