import { behaviours } from './behaviour.ts';

/** Answers that are read while they are made: what the platform does. */
export const STREAMS = behaviours({
  'stream.events': [
    'A message sent with message/stream gets a task, the text of its answer and a last status as server-sent events, with headers that stop proxies from buffering.',
    'docs/contract/streams.md#events; docs/decisions/0032-streams.md',
  ],
});
