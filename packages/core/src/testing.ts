/** What tests of agents use. A test pins this list of exports. */
export { type Chaos, type ChaosEntry, type ChaosOptions, chaos, type HitFilter } from './testing/chaos.ts';
export type { ChaosRule, Fault, FaultName, RequestFilter } from './testing/chaos-rules.ts';
export { type LogLine, type RecordingLogger, recordingLogger } from './testing/recording-logger.ts';
