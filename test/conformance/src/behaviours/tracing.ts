import { behaviours } from './behaviour.ts';

/** Traces, metrics and diagnostics of agents and of the platform. */
export const TRACING = behaviours({
  'tracing.every-way': [
    'The W3C trace context of a message is passed on by push, feed, direct call and stream, and to what its handler sends, without OpenTelemetry too.',
    'docs/contract/messages.md#trace-context; docs/decisions/0109-observability.md',
  ],
  'tracing.late-answers': [
    'An answer that comes as a message of its own belongs to the trace of its question.',
    'docs/contract/messages.md#trace-context',
  ],
  'tracing.questions': [
    'A message that continues another one after questions belongs to the trace of the first one.',
    'docs/contract/messages.md#trace-context; docs/contract/questions.md',
  ],
  'tracing.malformed': [
    'A trace context that is not valid is not stored and not passed on, and the message is accepted.',
    'docs/contract/messages.md#trace-context',
  ],
  'tracing.one-trace': [
    'With OpenTelemetry, the spans of everything that follows from one message are one tree: each agent and the platform, by every way, late answers too.',
    'docs/decisions/0109-observability.md',
  ],
  'tracing.metrics': [
    'Agents and platform count and measure what they do; labels have few values, and none is an id.',
    'docs/decisions/0109-observability.md',
  ],
  'tracing.event-loop': [
    'While an agent runs, the lag of its event loop is a metric; heartbeats that the worker repeats while it is blocked are counted apart.',
    'docs/decisions/0106-heartbeats-from-a-worker.md; docs/decisions/0109-observability.md',
  ],
  'tracing.channels': [
    'Operations are published on channels of diagnostics_channel with the same facts, with and without OpenTelemetry.',
    'docs/decisions/0109-observability.md',
  ],
  'tracing.failing-opentelemetry': [
    'An OpenTelemetry that throws, or runs code not at all or twice, changes nothing: each message is handled once and answered.',
    'docs/decisions/0109-observability.md#decision',
  ],
  'tracing.api-versions': [
    'The packed packages record the same spans and metrics with the oldest version of OpenTelemetry’s API that they name as with the newest, and use no other major version.',
    'docs/decisions/0109-observability.md#decision',
  ],
  'tracing.nothing-private': [
    'No text, name, card, error text or credential is in a span, a metric, an event of a channel or, at debug level, a line of a log, encoded or not.',
    'docs/decisions/0109-observability.md',
  ],
});
