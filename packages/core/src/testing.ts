/** What tests of agents use. A test pins this list of exports. */
export { type Chaos, type ChaosEntry, type ChaosOptions, chaos, type HitFilter } from './testing/chaos.ts';
export type { ChaosRule, Fault, FaultName, RequestFilter } from './testing/chaos-rules.ts';
export {
  expectAnswered,
  expectFenced,
  expectNoUnfencedPeerText,
  expectStatus,
  type MatcherResult,
  type MoleculeMatchers,
  moleculeMatchers,
  type TextOfPeer,
} from './testing/expectations.ts';
export { type LogLine, type RecordingLogger, recordingLogger } from './testing/recording-logger.ts';
export type { PeerAnswer } from './testing/scripted-peer.ts';
export {
  type ScriptedPeer,
  type ScriptedPeerOptions,
  scriptedPeer,
  type TestClock,
  type TestConnection,
} from './testing/scripted-peer.ts';
export { type TemporaryState, temporaryState } from './testing/temporary-state.ts';
