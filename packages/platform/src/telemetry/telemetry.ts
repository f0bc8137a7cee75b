import { isErrorCode } from '@molecule-ai/protocol';
import { Telemetry } from '@molecule-ai/telemetry';

/*
 * What this package reports: docs/observability.md#spans-and-metrics. Facts are ids, sizes, states and codes. A label is a fact with few
 * values.
 */

/** The version in package.json; a test compares both. */
export const PLATFORM_VERSION = '0.0.0';

export const telemetry = new Telemetry('@molecule-ai/platform', PLATFORM_VERSION);

/** From the request until the message is stored. */
export const acceptances = telemetry.operations({
  channel: 'molecule:platform:accept',
  kind: 'server',
  duration: {
    name: 'molecule.platform.accept.duration',
    description: 'From the request until its message is stored',
    unit: 's',
  },
  labels: ['molecule.outcome'],
});

/** One attempt to post a message to its agent. */
export const pushes = telemetry.operations({
  channel: 'molecule:platform:push',
  kind: 'client',
  duration: {
    name: 'molecule.platform.push.duration',
    description: 'One attempt to post a message to its agent, with its answer',
    unit: 's',
  },
  labels: ['molecule.result'],
});

/** The end of a message, or its interruption by questions. */
export const outcomes = telemetry.operations({
  channel: 'molecule:platform:outcome',
  kind: 'internal',
  labels: [],
});

export const messageEnded = telemetry.duration({
  name: 'molecule.platform.message.duration',
  description: 'From the acceptance of a message until its end, by the state that it ended in',
  unit: 's',
});

export const queued = telemetry.duration({
  name: 'molecule.platform.queue.duration',
  description: 'From the acceptance of a message until its first push',
  unit: 's',
});

/** Changes the number of requests that are held. */
export const heldRequests = telemetry.level({
  name: 'molecule.platform.requests.held',
  description: 'Requests that wait for an answer or for a row of a feed',
  unit: '{request}',
});

export const openStreams = telemetry.level({
  name: 'molecule.platform.streams.open',
  description: 'Streams of answers that clients read',
  unit: '{stream}',
});

/** A code of the closed list. Any other word comes from elsewhere, and may be anything. */
export function knownCode(code: string | undefined): string {
  return isErrorCode(code) ? code : 'other';
}
