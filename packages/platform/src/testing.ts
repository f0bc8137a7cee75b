/** The platform in a test. A test pins this list of exports. */
export {
  createTestPlatform,
  type TestPlatform,
  type TestPlatformOptions,
  type TestRequest,
  type TestResponse,
  type TestWorkspace,
} from './test-platform.ts';
export type { InProcessDispatcher, InProcessRequest } from './testing/in-process-dispatcher.ts';
export { type AdvanceUntilOptions, ManualClock } from './testing/manual-clock.ts';
export type { RequestHandler } from './testing/served-agents.ts';
