import { behaviours } from './behaviour.ts';

/** The platform that a test starts in its own process. */
export const TESTING = behaviours({
  'testing.in-process': [
    'createTestPlatform runs the whole platform in memory: clients and agents of core use it through its dispatcher, without a socket.',
    'docs/decisions/0053-test-platform.md',
  ],
  'testing.one-clock': [
    'One manual clock moves platform and agents: a silent agent is offline after the window, and no real time passes.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.workspaces': [
    'A test creates, pauses, resumes and removes workspaces, and reads their status, through the routes of the platform.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.streams': [
    'An answer that is streamed arrives in process piece by piece, as the clock moves.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.disconnects': [
    'A caller that gives up a held request in process has disconnected for the platform: the answer becomes a message on its feed.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.serve': [
    'An agent with a URL gets its pushes in process, with a token that it verifies, and streams its answer; the probe reaches it.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.modes': [
    'In process the rules of both modes apply: credentials in production, the operator of this machine in dev mode, and every limit that is set.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.a-day': [
    'A simulated day of one agent, with a feed or with a URL: its 500 messages are all answered, and no heartbeat is late.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.refuses': [
    'Options without effect, a mode that does not exist, a server without a handler and times that are no numbers are refused by their names; the clock stays as it was.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.stalled-clock': [
    'A request that waits about two seconds of real time while nobody moves the clock is warned of once; an idle agent is not.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.jest': [
    'The packed packages run under Jest as it is installed, without a configuration or a flag of Node.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.jest-types': [
    'The declarations of the guide give the matchers to TypeScript in Jest, with the types of @jest/globals and with those of @types/jest.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.closes': [
    'Closing the platform ends held requests with a response, refuses later ones, and leaves nothing open.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.no-environment': [
    'Scripted peers and the testing module of NestJS read no setting from the environment, which is that of the application under test.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.peers': [
    'A scripted peer is an agent in a workspace of its own whose answers a test decides: texts, failures, questions, streams, delays, silence; it leaves nothing behind.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.matchers': [
    'Matchers for vitest and Jest, and functions for all others, check answers, statuses and that texts of peers reach a model in fences only; they fail with what came instead.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.state': [
    'A temporary state folder keeps what an agent needs to start again, and ends with the test.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.chaos.each-route': [
    'Chaos makes each of its faults happen at any route, in process, to the requests that its rules name.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
  'testing.chaos.repeats': [
    'The same seed gives the same faults at the same times to the same agents, another seed others.',
    'docs/decisions/0053-test-platform.md#decision',
  ],
});
