import { behaviours } from './behaviour.ts';

/** Receiving messages at a URL of one's own. */
export const INBOUND = behaviours({
  'inbound.push-is-answered': [
    'An agent with a server of its own answers pushed messages of people and agents in the response.',
    'docs/contract/receiving.md#the-response; docs/decisions/0103-push-server.md',
  ],
  'inbound.ends': [
    'A pushed message that is not answered ends for its sender as its handler ended: unanswered, or failed with its sentence.',
    'docs/contract/receiving.md#the-response; docs/decisions/0029-every-message-ends.md',
  ],
  'inbound.late-answer': [
    'A pushed message that is not done when the response is due is answered later through the platform, or ends by an outcome.',
    'docs/contract/receiving.md#the-response; docs/decisions/0103-push-server.md',
  ],
  'inbound.questions': [
    'A pushed message may be answered with questions; their answers are pushed and answered in turn.',
    'docs/contract/receiving.md#the-response; docs/decisions/0033-questions.md',
  ],
  'inbound.a2a-1.0': [
    'A request of A2A 1.0 is responded to in that form, message, task and question, also when the platform pushed it; one of 0.3 in that of 0.3.',
    'docs/contract/receiving.md#a2a-10; docs/decisions/0044-json-rpc-callers.md',
  ],
  'inbound.cancel': [
    'The cancellation of a pushed message aborts the signal of its handler.',
    'docs/contract/receiving.md#tasks; docs/decisions/0050-cancel.md',
  ],
  'inbound.missed-messages': [
    'What was stored while a push agent was away is handled once when it starts, however it then comes.',
    'docs/contract/receiving.md#which-way-when; docs/decisions/0012-delivery-guarantee.md',
  ],
  'inbound.node-listener': [
    'A server of another framework on Node serves the agent by one listener; a request whose body was read before gets an error that says so, and the agent logs it.',
    'docs/contract/receiving.md#mounting',
  ],
  'inbound.tls': [
    'With `tls` the server of an agent takes https only.',
    'docs/contract/receiving.md#mounting',
  ],
  'inbound.credential-is-demanded': [
    'A request without a token of the platform for this agent is refused, in production and in dev mode; without one nobody is believed.',
    'docs/contract/receiving.md#credentials; docs/decisions/0009-peer-tokens.md',
  ],
  'inbound.tokens-of-others': [
    'A token for another agent, also that of a push, and one that another platform signed, are refused with nothing of the token in the response; what a sender says of itself does not count.',
    'docs/contract/receiving.md#credentials; docs/decisions/0009-peer-tokens.md',
  ],
  'inbound.sender-is-not-forged': [
    'What a sender writes under the keys by which the platform says who sent a message, in which conversation, or that it is a delegation, reaches no handler, by push, feed or directly.',
    'docs/contract/messages.md#keys-of-the-platform; docs/contract/receiving.md#credentials',
  ],
  'inbound.conversation-of-others': [
    'A sender cannot put its message into the conversation of another one: that of a person does not wait for it.',
    'docs/contract/messages.md#keys-of-the-platform; docs/contract/messages.md#conversations',
  ],
  'inbound.request-shares': [
    'A peer that holds as many requests as it can gets 429, and takes none from the platform, its probes, or other peers.',
    'docs/contract/receiving.md#places-for-requests',
  ],
  'inbound.one-request-per-message': [
    'A caller that sends a message again while its request waits waits with the new request: the earlier one is given the task.',
    'docs/contract/receiving.md#repeats; docs/contract/receiving.md#places-for-requests',
  ],
  'inbound.clock-skew': [
    'The clock of an agent may differ by a minute from that of its platform; beyond that tokens are refused, and a push waits without losing attempts until the clock is right.',
    'docs/contract/receiving.md#credentials; docs/contract/authentication.md#peer-tokens',
  ],
  'inbound.clock-skew-is-reported': [
    'An agent whose clock is wrong logs one warning and is degraded as clock-skew with the difference until it is right; an expired token of a peer changes nothing.',
    'docs/contract/receiving.md#credentials',
  ],
  'inbound.clock-skew-auto': [
    'An agent with auto whose clock is wrong long-polls, because its probe fails with clock_skew, and is pushed to when the clock is right.',
    'docs/contract/receiving.md#credentials; docs/contract/presence.md#probe',
  ],
  'inbound.issuer-changes': [
    'When the platform gets another public URL, its agents register again; a push waits for that and costs no attempt.',
    'docs/contract/receiving.md#credentials; docs/contract/authentication.md#peer-tokens',
  ],
  'inbound.repeat-gets-the-answer': [
    'A message that was answered in a response and comes again, also after a restart, is not handled again and gets the same answer.',
    'docs/contract/receiving.md#repeats; docs/decisions/0010-message-dedupe.md',
  ],
  'inbound.one-message-per-id': [
    'The id of a direct message names one message: with another text, `in_reply_to` or method it is a conflict, while the first is handled and afterwards.',
    'docs/contract/receiving.md#repeats; docs/decisions/0010-message-dedupe.md',
  ],
  'inbound.repeats-of-others-stay-known': [
    'However many messages a peer sends, a message of another one that has ended is not handled again.',
    'docs/contract/receiving.md#repeats; docs/decisions/0010-message-dedupe.md',
  ],
  'inbound.replicas': [
    'Replicas of an agent with delivery push, behind one URL, handle each of its messages once, also those that were stored before and those under way while one starts; a stop of one ends nothing.',
    'docs/contract/receiving.md#replicas; docs/decisions/0049-one-reader.md#decision',
  ],
  'inbound.replicas.own-folders': [
    'A replica in the state folder of another one does not start: `workspace_in_use`, with what to do.',
    'docs/contract/receiving.md#replicas',
  ],
  'inbound.room-is-shared': [
    'A peer that sends direct messages without end takes a quarter of the room of an agent; the messages of other peers and of people are accepted and answered.',
    'docs/contract/receiving.md#accepting; docs/contract/limits.md#messages-at-an-agents-url',
  ],
  'inbound.refused-answers-take-no-room': [
    'Answers that the inbox of a peer has no room for wait without taking room for messages of others; too many are given up, and the agent is degraded.',
    'docs/contract/receiving.md#the-response; docs/contract/limits.md#messages-at-an-agents-url',
  ],
  'inbound.large-messages-are-kept': [
    'Large messages that were accepted are stored once, and handled after a crash however large the store is.',
    'docs/contract/receiving.md#accepting; docs/contract/limits.md#messages-at-an-agents-url',
  ],
  'inbound.auto-delivery': [
    'With the delivery auto an agent is pushed to while the platform reaches its URL, and long-polls otherwise; a switch loses and doubles nothing.',
    'docs/contract/receiving.md#which-way-when; docs/decisions/0103-push-server.md',
  ],
  'inbound.behind-a-proxy': [
    'An agent behind a reverse proxy that adds headers and removes a part of the path is probed and pushed to; what the proxy adds is not a credential.',
    'docs/contract/receiving.md#mounting; docs/contract/receiving.md#credentials',
  ],
  'inbound.largest-message': [
    'The largest message that the platform accepts reaches the server of an agent, although the platform adds to it.',
    'docs/contract/receiving.md#requests; docs/contract/limits.md#bodies',
  ],
  'inbound.server-change-is-noticed': [
    'When the A2AServer of an agent with the delivery auto starts or stops, the platform is asked at once whether it reaches the agent.',
    'docs/contract/receiving.md#which-way-when; docs/decisions/0103-push-server.md',
  ],
  'inbound.server-starts-again': [
    'An A2AServer that was stopped, or could not start because its port was in use, listens when it is started again.',
    'docs/contract/receiving.md#mounting',
  ],
  'inbound.delivery-reason': [
    'While an agent with the delivery auto is not pushed to, also from its start, the log, the event and health() say why, and what to do.',
    'docs/contract/receiving.md#why-it-is-not-push',
  ],
  'inbound.hold-limit': [
    'With holdSeconds no request but a stream waits longer for its answer, whatever its X-Timeout says.',
    'docs/contract/receiving.md#the-response',
  ],
  'inbound.wrong-options-are-named': [
    'A server or handler with an option that cannot work is not created: configuration_invalid, which names the option.',
    'docs/contract/receiving.md#mounting',
  ],
  'inbound.killed-agent-loses-nothing': [
    'An agent that is killed after it stored a message, in the handler, after it stored the answer, or while its delivery is switched, answers the message once when it is back; what once() did is not done again.',
    'docs/contract/receiving.md#accepting; docs/decisions/0012-delivery-guarantee.md',
  ],
  'inbound.not-registered-yet': [
    'A token for an agent whose server is up before it has registered gets 503, as it cannot be checked yet.',
    'docs/contract/receiving.md#credentials',
  ],
  'inbound.empty-messages': [
    'A message without a text and without parts is an error in each form, except a delegate_task.',
    'docs/contract/receiving.md#requests',
  ],
  'inbound.tasks-of-params': [
    'A delegate_task that has neither a text nor parts is handled with its params, by push as by long polling.',
    'docs/contract/receiving.md#requests',
  ],
  'inbound.tasks-keep-their-message': [
    'A delegate_task whose params.message is no object reaches the handler with it as it was sent, in each delivery.',
    'docs/contract/receiving.md#requests; docs/contract/feed.md#compact-rows',
  ],
  'inbound.tasks-are-objects': [
    'A delegate_task whose params are not an object, and any other message without a text and parts, is a 400 at the URL of an agent.',
    'docs/contract/receiving.md#requests',
  ],
  'inbound.not-accepting': [
    'An agent that is not ready to take a message responds with 503 and keeps nothing; the platform delivers it later.',
    'docs/contract/receiving.md#accepting; docs/decisions/0103-push-server.md',
  ],
});
