import { subscribe, type TracingChannel, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import type { TestEnvironment } from './test-environment.ts';

const OPERATIONS = [
  'molecule:core:call',
  'molecule:core:handle',
  'molecule:core:reply',
  'molecule:core:register',
  'molecule:platform:accept',
  'molecule:platform:push',
  'molecule:platform:outcome',
] as const;
const EVENTS = ['molecule:core:heartbeat', 'molecule:core:feed-read', 'molecule:core:dead-letter'] as const;

export interface PublishedEvent {
  /** Of a tracing channel with the step: `molecule:core:call:start`. */
  readonly channel: string;
  /** A copy, as it was then. */
  readonly message: Readonly<Record<string, unknown>>;
}

/** Subscribes to every channel until the test ends. */
export function recordChannels(environment: TestEnvironment): readonly PublishedEvent[] {
  const published: PublishedEvent[] = [];
  const record = (channel: string) => (message: unknown) =>
    void published.push({ channel, message: structuredClone(message as PublishedEvent['message']) });
  for (const name of OPERATIONS) {
    const channel: TracingChannel<unknown, object> = tracingChannel(name);
    const subscribers = {
      start: record(`${name}:start`),
      end: record(`${name}:end`),
      asyncStart: record(`${name}:asyncStart`),
      asyncEnd: record(`${name}:asyncEnd`),
      error: record(`${name}:error`),
    };
    channel.subscribe(subscribers);
    environment.onCleanup(() => void channel.unsubscribe(subscribers));
  }
  for (const name of EVENTS) {
    const listener = record(name);
    subscribe(name, listener);
    environment.onCleanup(() => void unsubscribe(name, listener));
  }
  return published;
}
