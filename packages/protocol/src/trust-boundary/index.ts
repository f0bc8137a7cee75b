export { type FencePeerTextOptions, fencePeerText, peerTextInstructions } from './fence.ts';
export { PEER_BOUNDARY_END, PEER_BOUNDARY_START } from './markers.ts';
export { stripA2aBoundary } from './strip.ts';
export { wrapA2aBoundary } from './wrap.ts';
