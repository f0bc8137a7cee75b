/** What tests of agents use. A test pins this list of exports. */
export { type Chaos, type ChaosRule, chaos } from './testing/chaos.ts';
export {
  expectAnswered,
  expectFenced,
  expectNoUnfencedPeerText,
  expectStatus,
  type MoleculeMatchers,
  moleculeMatchers,
} from './testing/expectations.ts';
export { type RecordingLogger, recordingLogger } from './testing/recording-logger.ts';
export {
  type PeerAnswer,
  type ScriptedPeer,
  type ScriptedPeerOptions,
  scriptedPeer,
} from './testing/scripted-peer.ts';
export { temporaryState } from './testing/temporary-state.ts';
