import { behaviours } from './behaviour.ts';

export const AGENTS = behaviours({
  'agent.rate-limited': [
    'An agent whose requests are rate limited reports `rate-limited`, waits and goes on.',
    'docs/contract/limits.md#rates; docs/decisions/0036-fair-limits.md#decision',
  ],
  'agent.failed-start': [
    'A failed start rejects or, with `wait: false`, emits `start-failed`.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0040-runtime-name.md',
  ],
  'agent.conversations-in-parallel': [
    'An agent handles conversations in parallel, so that none holds up another.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0030-conversations.md',
  ],
  'agent.one-message-blocks-no-other': [
    'A message that fails, hangs or streams without pause does not hold up others for good.',
    'docs/decisions/0018-retries.md; docs/contract/receiving.md#streams',
  ],
  'agent.replay': [
    'The answer to a replayed dead letter reaches the sender as a late message.',
    'docs/contract/messages.md#late-answers; docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.ends-with-its-client': [
    'An agent whose client is closed ends as stopped and leaves unfinished messages to the next start.',
    'docs/contract/presence.md#how-an-agent-ends',
  ],
  'agent.recovers-from-outages': [
    'An agent recovers from outages and broken responses by itself, within 90 s of their end.',
    'docs/decisions/0108-never-half-dead.md; docs/contract/limits.md#retries-of-the-client',
  ],
  'agent.one-end-after-a-restart': [
    'An agent stopped or killed midway gives each message one whole end after its restart.',
    'docs/decisions/0031-what-a-handler-returns.md; docs/contract/streams.md#breaks',
  ],
  'agent.lost-state': [
    'An agent that lost its state handles no message again that it had answered.',
    'docs/contract/feed.md#order',
  ],
  'agent.half-dead.feed': [
    'An agent that cannot read its feed is degraded within three minutes although its heartbeats succeed.',
    'docs/contract/receiving.md#an-agent-that-is-half-dead; docs/decisions/0108-never-half-dead.md',
  ],
  'agent.half-dead.probe': [
    'An agent without messages for an hour tests its delivery, and is degraded if that fails.',
    'docs/contract/receiving.md#an-agent-that-is-half-dead; docs/decisions/0108-never-half-dead.md',
  ],
  'agent.exit-when-dead': [
    'With `exitWhenDead` a process whose heartbeats keep failing exits with code 70.',
    'docs/contract/receiving.md#an-agent-that-is-half-dead; docs/decisions/0108-never-half-dead.md',
    'test:processes',
  ],
  'agent.thousand-in-one-process': [
    'A thousand agents in one process all receive and answer.',
    'docs/contract/receiving.md#many-agents-in-one-process; docs/decisions/0108-never-half-dead.md',
    'test:processes',
  ],
  'agent.one-process-per-folder': [
    'A second process in the same state folder is refused with an error that names the first.',
    'docs/decisions/0012-delivery-guarantee.md',
    'test:processes',
  ],
  'agent.current-message': [
    'In everything that a handler calls, `currentMessage()` is the message that it handles.',
    'docs/decisions/0034-loops-end.md',
  ],
  'agent.calls-name-their-parent': [
    'A call in a handler carries the id, the trace and the deadline of the handled message.',
    'docs/contract/messages.md#loops',
  ],
  'agent.answer-shapes': [
    'A handler may return a text, an object with parts and metadata, or an async iterable of texts.',
    'docs/decisions/0031-what-a-handler-returns.md',
  ],
  'agent.disabled': [
    'With MOLECULE_DISABLED an agent joins no workspace, and a client sends nothing.',
    'docs/decisions/0053-test-platform.md#tests-that-start-an-application',
  ],
  'data.messages': [
    'A message and an answer may have structured data: one A2A data part, of any JSON.',
    'docs/decisions/0055-structured-data.md#on-the-wire',
  ],
  'data.limits': [
    'Data that is not JSON is refused before it is sent, and data over a limit by the platform.',
    'docs/decisions/0055-structured-data.md#on-the-wire',
  ],
  'data.skills': [
    'A message that names a skill reaches its handler with data that fits, and each side checks with its own schema.',
    'docs/decisions/0055-structured-data.md#skills',
  ],
  'data.skill-failures': [
    'Data that fits no skill of the agent, and an answer that does not fit, fail the message at once with a code.',
    'docs/decisions/0055-structured-data.md#skills',
  ],
  'data.card': [
    'The card of an agent has the schemas of its skills, also after it was updated.',
    'docs/decisions/0055-structured-data.md#on-the-card',
  ],
  'data.other-schema': [
    'A caller whose definition differs from the card of the peer is warned when a call fails because of it.',
    'docs/decisions/0055-structured-data.md#on-the-card',
  ],
  'agent.on-answer': [
    'Answers to questions and late answers go to onAnswer, and never to onMessage.',
    'docs/decisions/0054-answers-have-a-handler.md',
  ],
  'agent.asks-without-on-answer': [
    'A handler that asks where nothing handles answers fails its message at once.',
    'docs/decisions/0054-answers-have-a-handler.md',
  ],
  'agent.invalid-answer': [
    'An invalid answer of a handler fails its message at once as `invalid_answer`.',
    'docs/decisions/0031-what-a-handler-returns.md; docs/decisions/0117-nestjs.md#answers',
  ],
  'agent.message-failure': [
    'Of an error in a handler, the sender learns only the words of a `MessageFailure`.',
    'docs/decisions/0031-what-a-handler-returns.md; docs/contract/messages.md#message-states',
  ],
  'agent.names-failures': [
    'The log of an agent says why a message failed, without any text of the message.',
    'docs/decisions/0048-logs-by-default.md; docs/decisions/0117-nestjs.md#errors',
  ],
  'agent.large.whole': [
    'An agent receives large messages and answers whole, however many wait.',
    'docs/decisions/0105-feed-pages.md; docs/contract/feed.md#sizes',
  ],
  'agent.large.set-aside': [
    'A message above `maxResponseBytes` fails for its sender and does not hold up later ones.',
    'docs/decisions/0105-feed-pages.md',
  ],
  'agent.stream.while-it-runs': [
    'What a handler streams is read while it runs, and is the beginning of its answer.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/receiving.md#streams',
  ],
  'agent.stream.throws': [
    'A handler that throws after some of its text was read fails its message at once.',
    'docs/contract/streams.md#breaks; docs/decisions/0032-streams.md',
  ],
  'agent.stream.reader-comes-back': [
    'A streamed answer over 1 MiB is kept for a repeat for a minute after its last reader left.',
    'docs/contract/receiving.md#streams',
  ],
  'agent.signal-aborts': [
    'The signal of a handler aborts when its message is canceled or reaches its deadline.',
    'docs/decisions/0050-cancel.md; docs/contract/messages.md#expiry',
  ],
  'delivery.order': [
    'An agent handles the messages of one conversation one after the other, in order.',
    'docs/decisions/0012-delivery-guarantee.md; docs/decisions/0014-activity-rows.md',
  ],
  'delivery.acknowledges-what-is-finished': [
    'An agent acknowledges every message that it finished, and no other.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.at-most-once': [
    'An agent that opted into at most once never handles a message twice.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.retries-then-dead-letters': [
    'A message whose handler fails five times becomes a dead letter.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0018-retries.md',
  ],
  'delivery.stop-finishes-work': [
    'A stopping agent lets its handler finish, and ends in time even without a platform.',
    'docs/contract/messages.md#delivery-guarantee; docs/contract/limits.md#time-limits',
  ],
  'delivery.ends-with-its-workspace': [
    'An agent ends by itself when its workspace is removed or its token is revoked.',
    'docs/decisions/0017-pause-and-removal.md; docs/contract/presence.md#how-an-agent-ends',
  ],
  'delivery.platform-down': [
    'An agent reports an outage of its platform, waits, and loses or repeats no message.',
    'docs/contract/limits.md#retries-of-the-client; docs/decisions/0048-logs-by-default.md',
  ],
  'delivery.survives-chaos': [
    'Whatever happens to an agent’s requests, no message is lost and no effect in `once` is repeated.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.each-route-may-fail': [
    'Whichever request of an agent fails, each of its messages ends once.',
    'docs/decisions/0012-delivery-guarantee.md',
    'test:processes',
  ],
  'delivery.clock-jump': [
    'A clock that jumps makes neither agent nor platform lose or repeat a message.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.cursor-rotated-out': [
    'An agent that has lost its cursor misses no message and repeats no finished one.',
    'docs/contract/feed.md#cursor; docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word',
  ],
  'delivery.unwritable-state': [
    'An agent that cannot write its state folder reports it and works on.',
    'docs/decisions/0028-private-files.md; docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.files-are-private': [
    'The files of agents and clients can be read by their owner only.',
    'docs/decisions/0028-private-files.md; docs/contract/authentication.md#tokens',
  ],
  'delivery.killed-agent-answers-once': [
    'An agent that was killed answers each message once when it is back.',
    'docs/contract/messages.md#delivery-guarantee; docs/contract/receiving.md#accepting',
    'test:processes',
  ],
  'delivery.no-echo-storm': [
    'Two agents that echo everything exchange one question and one answer.',
    'docs/decisions/0011-answers.md',
  ],
  'instances.one-reader': [
    'A second agent of a workspace is refused its messages as `identity_in_use` until the first one stops.',
    'docs/contract/presence.md#one-reader; docs/decisions/0049-one-reader.md#decision',
  ],
  'instances.each-message-once': [
    'However many processes or replicas run with one token, each message is handled once.',
    'docs/decisions/0049-one-reader.md#decision; docs/contract/receiving.md#replicas',
  ],
  'instances.processes': [
    'Two processes with one token handle each message once, also when one is started again.',
    'docs/decisions/0049-one-reader.md#decision; docs/contract/receiving.md#replicas',
    'test:processes',
  ],
  'instances.takeover': [
    'A take-over ends the other agent as superseded.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.fail': [
    'With `onConflict: "fail"` an agent does not start while another one reads.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.restart-continues': [
    'An agent that was restarted, or that replaces a stopped one, receives within seconds.',
    'docs/contract/presence.md#one-reader; docs/decisions/0049-one-reader.md#decision',
  ],
  'instances.killed-agent': [
    'When an agent is killed, another one with its token receives its messages 45 s later.',
    'docs/contract/presence.md#one-reader',
    'test:processes',
  ],
  'instances.goodbye': [
    'A workspace is offline as soon as its last agent stops.',
    'docs/contract/presence.md#goodbye',
  ],
  'instances.readers-without-a-name': [
    'Reads of operators, of history or without an instance name are always allowed and claim nothing.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.folder-of-a-running-agent': [
    'Only a running agent keeps another one out of its state folder.',
    'docs/contract/receiving.md#replicas; docs/decisions/0049-one-reader.md#decision',
  ],
  'inbound.credential-is-demanded': [
    'By default an agent accepts only requests with a valid token that its platform signed for it.',
    'docs/contract/receiving.md#credentials; docs/contract/authentication.md#peer-tokens',
  ],
  'inbound.push-is-answered': [
    'A pushed message is answered in its response or, if it takes longer, through the platform.',
    'docs/contract/receiving.md#the-response; docs/decisions/0103-push-server.md',
  ],
  'inbound.tasks-of-params': [
    'A `delegate_task` reaches the handler with its params as they were sent.',
    'docs/contract/receiving.md#requests',
  ],
  'inbound.empty-messages': [
    'A message with neither text nor parts is refused, except a well-formed `delegate_task`.',
    'docs/contract/receiving.md#requests',
  ],
  'inbound.large-messages': [
    'A message as large as the platform accepts reaches an agent’s server and survives a crash.',
    'docs/contract/receiving.md#accepting; docs/contract/limits.md#bodies',
  ],
  'inbound.one-peer-harms-no-other': [
    'However much one peer sends to an agent, the messages of others are handled as before.',
    'docs/contract/receiving.md#places-for-requests; docs/contract/limits.md#messages-at-an-agents-url',
  ],
  'inbound.auto-delivery': [
    'With the delivery `auto` an agent is pushed to while the platform reaches it, and long-polls otherwise.',
    'docs/contract/receiving.md#which-way-when; docs/decisions/0103-push-server.md',
  ],
  'inbound.delivery-reason': [
    'An agent with the delivery `auto` that is not pushed to says why and what to do.',
    'docs/contract/receiving.md#why-it-is-not-push',
  ],
  'inbound.node-listener': [
    'A server of another framework on Node serves an agent by one listener.',
    'docs/contract/receiving.md#mounting',
  ],
  'inbound.tls': [
    'With `tls` the server of an agent takes https only.',
    'docs/contract/receiving.md#mounting',
  ],
  'inbound.behind-a-proxy': [
    'An agent is reached behind a reverse proxy that adds headers and shortens the path.',
    'docs/contract/receiving.md#mounting',
  ],
  'inbound.server-starts-again': [
    'An `A2AServer` that was stopped or failed to start can be started again.',
    'docs/contract/receiving.md#mounting',
  ],
  'inbound.sender-is-not-forged': [
    'A sender cannot forge who sent its message or to which conversation it belongs.',
    'docs/contract/messages.md#keys-of-the-platform; docs/contract/receiving.md#credentials',
  ],
  'inbound.clock-skew': [
    'An agent whose clock is over a minute wrong is degraded as `clock-skew` and gets its pushes later.',
    'docs/contract/receiving.md#credentials; docs/contract/authentication.md#peer-tokens',
  ],
  'inbound.issuer-changes': [
    'Agents register again by themselves when their platform gets another public URL.',
    'docs/contract/receiving.md#credentials; docs/contract/authentication.md#peer-tokens',
  ],
});
