import { behaviours } from './behaviour.ts';

export const TESTING = behaviours({
  'testing.in-process': [
    'createTestPlatform runs the whole platform in memory, without a socket.',
    'docs/decisions/0053-test-platform.md',
  ],
  'testing.one-clock': [
    'One manual clock moves the test platform and its agents, and no real time passes.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.stalled-clock': [
    'A request that waits about 2 s of real time while nobody moves the clock is warned of once.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.workspaces': [
    'A test creates, pauses, resumes and removes workspaces, and reads their status.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.peers': [
    'A scripted peer is an agent whose answers, failures, questions and delays a test decides.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.matchers': [
    'Matchers for vitest and Jest check answers, statuses and that text of peers is marked as untrusted.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.state': [
    'A temporary state folder keeps what an agent needs to start again, and ends with the test.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.chaos': [
    'Chaos causes faults at any route, the same ones at the same times for the same seed.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.no-environment': [
    'Scripted peers and the NestJS testing module read no setting from the environment.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.closes': [
    'Closing the test platform ends held requests and leaves nothing open.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.jest': [
    'The packages and the types of their matchers work with Jest as it is installed.',
    'docs/decisions/0053-test-platform.md#decision',
    'test:packed',
  ],
});
