import { Telemetry } from '@molecule-ai/telemetry';
import { MOLECULE_ERROR_CODES } from '../errors/error-codes.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { SDK_VERSION } from '../settings/sdk-version.ts';

/*
 * What this package reports: docs/observability.md#spans-and-metrics. Facts are ids, sizes, states and codes. A label is a fact with few
 * values.
 */

const telemetry = new Telemetry('@molecule-ai/core', SDK_VERSION);

function metric(name: string, description: string, unit: string) {
  return { name, description, unit };
}

function seconds(name: string, description: string) {
  return metric(name, description, 's');
}

/** A code of the closed list. Any other word was chosen by a handler or a peer, and may be anything. */
export function knownCode(code: string): string {
  return code in MOLECULE_ERROR_CODES ? code : 'other';
}

/** The code of an error; the reason of an abort may be any value. */
export function codeOfError(error: unknown): string {
  return MoleculeError.isInstance(error) ? knownCode(error.code) : 'aborted';
}

/** Messages to peers, and those of the user. */
export const calls = telemetry.operations({
  channel: 'molecule:core:call',
  kind: 'client',
  duration: seconds('molecule.client.call.duration', 'From the call until its reply, or until it was stored'),
  labels: ['molecule.operation', 'molecule.via', 'molecule.status'],
});

/** One attempt at a message, with the sending of its answer. */
export const handlings = telemetry.operations({
  channel: 'molecule:core:handle',
  kind: 'consumer',
  duration: seconds(
    'molecule.agent.handle.duration',
    'One attempt at a message, with the sending of its answer',
  ),
  labels: ['molecule.outcome', 'molecule.source'],
});

/** Answers that are sent as requests. */
export const replies = telemetry.operations({
  channel: 'molecule:core:reply',
  kind: 'producer',
  duration: seconds('molecule.client.reply.duration', 'Sending an answer'),
  labels: ['molecule.via', 'molecule.status'],
});

export const registrations = telemetry.operations({
  channel: 'molecule:core:register',
  kind: 'client',
  duration: seconds('molecule.client.register.duration', 'Registering at the platform'),
  labels: [],
});

/** Changes the number of messages that are handled now. */
export const handledNow = telemetry.level(
  metric('molecule.agent.messages.active', 'Messages that are handled now', '{message}'),
);

export const deadLettered = telemetry.counter({
  counted: metric('molecule.agent.dead_letters', 'Messages that were given up', '{message}'),
  labels: ['error.type'],
  channel: 'molecule:core:dead-letter',
});

export const heartbeatSent = telemetry.counter({
  counted: metric(
    'molecule.agent.heartbeats',
    'Heartbeats, by their result, and whether the worker repeated them while the event loop was blocked',
    '{heartbeat}',
  ),
  labels: ['molecule.result', 'molecule.repeated'],
  channel: 'molecule:core:heartbeat',
});

/** Measures the lag of the event loop, in milliseconds, until the returned function is called. */
export function observeLag(readMs: () => number | null): () => void {
  const lag = seconds('molecule.agent.event_loop.lag', 'Largest delay of the event loop in the last minute');
  return telemetry.observe(lag, async (result) => {
    const lagMs = readMs();
    if (lagMs !== null) result.observe(lagMs / 1_000);
  });
}

export const feedRead = telemetry.counter({
  counted: metric('molecule.agent.feed.reads', 'Reads of the feed, by their result', '{read}'),
  labels: ['molecule.result'],
  channel: 'molecule:core:feed-read',
});
