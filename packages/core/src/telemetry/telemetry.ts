import { Telemetry } from '@molecule-ai/telemetry';
import { MOLECULE_ERROR_CODES } from '../errors/error-codes.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { SDK_VERSION } from '../settings/sdk-version.ts';

/*
 * What this package reports: docs/observability.md#spans-and-metrics. Facts are ids, sizes, states and codes. A label is a fact with few
 * values.
 */

const telemetry = new Telemetry('@molecule-ai/core', SDK_VERSION);

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
  duration: {
    name: 'molecule.client.call.duration',
    description: 'From the call until its reply, or until it was stored',
    unit: 's',
  },
  labels: ['molecule.operation', 'molecule.via', 'molecule.status'],
});

/** One attempt at a message, with the sending of its answer. */
export const handlings = telemetry.operations({
  channel: 'molecule:core:handle',
  kind: 'consumer',
  duration: {
    name: 'molecule.agent.handle.duration',
    description: 'One attempt at a message, with the sending of its answer',
    unit: 's',
  },
  labels: ['molecule.outcome', 'molecule.source'],
});

/** Answers that are sent as requests. */
export const replies = telemetry.operations({
  channel: 'molecule:core:reply',
  kind: 'producer',
  duration: { name: 'molecule.client.reply.duration', description: 'Sending an answer', unit: 's' },
  labels: ['molecule.via', 'molecule.status'],
});

export const registrations = telemetry.operations({
  channel: 'molecule:core:register',
  kind: 'client',
  duration: {
    name: 'molecule.client.register.duration',
    description: 'Registering at the platform',
    unit: 's',
  },
  labels: [],
});

/** Changes the number of messages that are handled now. */
export const handledNow = telemetry.level({
  name: 'molecule.agent.messages.active',
  description: 'Messages that are handled now',
  unit: '{message}',
});

export const deadLettered = telemetry.counter({
  counted: {
    name: 'molecule.agent.dead_letters',
    description: 'Messages that were given up',
    unit: '{message}',
  },
  labels: ['error.type'],
  channel: 'molecule:core:dead-letter',
});

export const heartbeatSent = telemetry.counter({
  counted: {
    name: 'molecule.agent.heartbeats',
    description:
      'Heartbeats, by their result, and whether the worker repeated them while the event loop was blocked',
    unit: '{heartbeat}',
  },
  labels: ['molecule.result', 'molecule.repeated'],
  channel: 'molecule:core:heartbeat',
});

/** Measures the lag of the event loop, in milliseconds, until the returned function is called. */
export function observeLag(readMs: () => number | null): () => void {
  const lag = {
    name: 'molecule.agent.event_loop.lag',
    description: 'Largest delay of the event loop in the last minute',
    unit: 's',
  };
  return telemetry.observe(lag, async (result) => {
    const lagMs = readMs();
    if (lagMs !== null) result.observe(lagMs / 1_000);
  });
}

export const feedRead = telemetry.counter({
  counted: {
    name: 'molecule.agent.feed.reads',
    description: 'Reads of the feed, by their result',
    unit: '{read}',
  },
  labels: ['molecule.result'],
  channel: 'molecule:core:feed-read',
});
