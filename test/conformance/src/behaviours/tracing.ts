import { behaviours } from './behaviour.ts';

export const TRACING = behaviours({
  'tracing.one-trace': [
    'Everything that follows from one message belongs to its W3C trace, with or without OpenTelemetry.',
    'docs/contract/messages.md#trace-context; docs/decisions/0109-observability.md',
  ],
  'tracing.across-processes': [
    'A trace goes on through agents in other processes.',
    'docs/contract/messages.md#trace-context; docs/decisions/0109-observability.md',
    'test:processes',
  ],
  'tracing.malformed': [
    'A message with an invalid trace context is accepted without the invalid part.',
    'docs/contract/messages.md#trace-context',
  ],
  'tracing.metrics': [
    'Agents and the platform report metrics of their work, whose labels have few values and no ids.',
    'docs/decisions/0109-observability.md',
  ],
  'tracing.event-loop': [
    'The metrics have the lag of the event loop of an agent.',
    'docs/decisions/0109-observability.md',
    'test:processes',
  ],
  'tracing.channels': [
    'Operations are published on channels of `diagnostics_channel`, with or without OpenTelemetry.',
    'docs/decisions/0109-observability.md',
  ],
  'tracing.nothing-private': [
    'Spans, metrics, channel events and logs contain no texts, names, cards, error texts or credentials.',
    'docs/decisions/0109-observability.md',
  ],
  'tracing.failing-opentelemetry': [
    'A faulty OpenTelemetry changes nothing about how messages are handled and answered.',
    'docs/decisions/0109-observability.md#decision',
  ],
  'tracing.api-versions': [
    'The oldest supported version of OpenTelemetry’s API records the same spans and metrics as the newest.',
    'docs/decisions/0109-observability.md#decision',
    'test:packed',
  ],
});
