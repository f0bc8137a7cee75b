import { behaviours } from './behaviour.ts';

/** How an answer finds its question, and how much its text is to be trusted. */
export const ANSWERS = behaviours({
  'answers.held-call': [
    'A call to a polling agent is held and answered with the agent’s reply.',
    'docs/decisions/0011-answers.md',
  ],
  'answers.held-call-then-202': [
    'A call that nobody answered in time is a 202; by default it is held 25 s.',
    'docs/decisions/0011-answers.md',
  ],
  'answers.x-timeout-is-a-deadline': [
    'X-Timeout sets how long a call is held, 0 holds it not at all, and nonsense is a 400.',
    'docs/contract/messages.md#held-calls; docs/decisions/0011-answers.md',
  ],
  'answers.late-reply-reaches-the-feed': [
    'A reply nobody waits for reaches the caller’s feed with in_reply_to and its wrapped text as params.result.',
    'docs/contract/trust-boundary.md#what-is-wrapped; docs/decisions/0011-answers.md',
  ],
  'answers.unknown-question': [
    'A reply to a message that the platform does not have, such as a direct one, is a late message for its target, with the limits of any message.',
    'docs/contract/messages.md#late-answers; docs/decisions/0101-direct-peer-calls.md',
  ],
  'answers.platform-words': [
    '`delivery_failed` and `answer_omitted` in the metadata of a message are the platform’s: it removes them from what others send.',
    'docs/contract/messages.md#late-answers',
  ],
  'answers.replies-of-1.0': [
    'A reply in the form of A2A 1.0 is an answer in that of 0.3 for callers that do not speak 1.0.',
    'docs/contract/messages.md#answers',
  ],
  'answers.awaited-reply-is-no-row': [
    'A reply that answers a held call is not a row of the caller’s feed as well.',
    'docs/decisions/0011-answers.md',
  ],
  'answers.message-wait': [
    'GET …/messages/:messageId?wait=N returns as soon as the message is answered, with the answer.',
    'docs/decisions/0011-answers.md',
  ],
  'answers.twice-is-one': [
    'The same reply sent twice is one answer.',
    'docs/decisions/0011-answers.md; docs/decisions/0012-delivery-guarantee.md',
  ],
  'answers.after-the-end': [
    'A reply to a message that was answered or acknowledged before says that nobody gets it, how the message ended, and what to do.',
    'docs/contract/messages.md#answers',
  ],
  'answers.wrong-route': [
    'A notify in reply to a message for whose answer a workspace waits, and a reply that a workspace posts to itself, are refused with the right route.',
    'docs/contract/messages.md#answers; docs/contract/messages.md#messages-to-the-user',
  ],
  'answers.short-form': [
    'A short form with in_reply_to beside its text is the reply that it means.',
    'docs/contract/messages.md#sending; docs/contract/messages.md#answers',
  ],
  'answers.only-the-asked-may-answer': [
    'A workspace that was not asked cannot answer in another’s name.',
    'docs/decisions/0011-answers.md',
  ],
  'answers.user-gets-the-notify': [
    'A notify with in_reply_to answers the held call of the person on the canvas.',
    'docs/contract/messages.md#messages-to-the-user; docs/decisions/0011-answers.md',
  ],
  'answers.user-gets-all-of-it': [
    'The answer to a person has the same text, parts and metadata whether its agent polls or has a server, streamed or not.',
    'docs/contract/messages.md#messages-to-the-user; docs/contract/streams.md#events',
  ],
  'answers.shape': [
    'An answer is a message of role agent with messageId and parts, under the JSON-RPC id of its question.',
    'docs/decisions/0026-part-shape.md',
  ],
  'answers.row-knows-its-answer': [
    'The inbound row of an answered message shows the answer and its state.',
    'docs/contract/feed.md#rows; docs/decisions/0014-activity-rows.md',
  ],
  'answers.largest-arrives-whole': [
    'An answer of 10 MiB reaches a caller of the SDK whole, in its call and when it asks again.',
    'docs/contract/limits.md#bodies; docs/decisions/0035-size-of-answers.md',
  ],
  'answers.too-complex': [
    'An answer of more than 50 000 JSON values or 64 levels fails at once with agent_answer_invalid, and holds up nobody.',
    'docs/contract/limits.md#bodies; docs/decisions/0035-size-of-answers.md',
  ],
  'answers.too-complex-request': [
    'A message of more than 50 000 JSON values or 64 levels is a 400 that names the limit.',
    'docs/contract/limits.md#bodies; docs/decisions/0035-size-of-answers.md',
  ],
  'answers.refused-answer-ends-the-message': [
    'An answer that the platform refuses for its size is not sent again, and its message ends as failed with the code for it.',
    'docs/contract/messages.md#size-of-an-answer; docs/decisions/0035-size-of-answers.md',
  ],
  'answers.read-in-bounded-memory': [
    'Large answers that one workspace asks for, in whatever way, and does not read take bounded memory: one more is a 503 after 10 s; small ones and those of others are not affected.',
    'docs/contract/messages.md#size-of-an-answer; docs/contract/limits.md#bodies',
  ],
  'answers.read-in-time': [
    'A client that takes a large answer too slowly is disconnected, and others get its memory.',
    'docs/contract/limits.md#time-limits; docs/decisions/0035-size-of-answers.md',
  ],
  'answers.joined-text': [
    'A caller gets the joined text as result.text in every shape, unless it sends Prefer: molecule-compact or A2A-Version.',
    'docs/contract/messages.md#size-of-an-answer; docs/decisions/0035-size-of-answers.md',
  ],
  'trust.wrapped-for-workspaces': [
    'An answer of a peer reaches a workspace wrapped: each text part by itself, and joined as result.text.',
    'docs/contract/trust-boundary.md#what-is-wrapped; docs/decisions/0019-wrapping-peer-text.md',
  ],
  'trust.every-result-shape': [
    'Every result shape of an agent is wrapped, and its text is found by the client.',
    'docs/contract/messages.md#text-of-an-answer; docs/decisions/0019-wrapping-peer-text.md',
  ],
  'trust.people-see-bare-text': [
    'A person on the canvas gets the answer of an agent unwrapped.',
    'docs/decisions/0019-wrapping-peer-text.md',
  ],
  'trust.forged-markers-lose-nothing': [
    'Markers inside a peer’s text, nested, reversed or disguised, neither break the wrapping nor lose a character.',
    'docs/contract/trust-boundary.md#look-alikes; docs/decisions/0020-boundary-markers.md',
  ],
  'trust.wrapping-can-be-switched-off': [
    'With MOLECULE_WRAP_PEER_RESULTS=false answers are passed on unwrapped.',
    'docs/decisions/0019-wrapping-peer-text.md',
  ],
  'trust.strip-undoes-wrap': [
    'Stripping gives back what was wrapped, and leaves text without a full pair of markers unchanged.',
    'docs/contract/trust-boundary.md#stripping; docs/decisions/0021-stripping.md',
  ],
  'trust.markers-removed': [
    'Markers that a model repeated are removed from its text, whole or in pieces, and all other words stay.',
    'docs/contract/trust-boundary.md#removing',
  ],
  'trust.fence-in-pieces': [
    'A text that arrives in pieces is fenced as the whole is, however it is cut.',
    'docs/contract/trust-boundary.md#text-for-a-model',
  ],
  'trust.errors-are-wrapped': [
    'The message of a peer’s JSON-RPC error is wrapped for a workspace, in its call and in its record.',
    'docs/contract/trust-boundary.md#what-is-wrapped; docs/decisions/0038-errors-of-peers.md',
  ],
  'trust.no-live-marker-anywhere': [
    'Markers in error data, data parts, file names, metadata, status texts and keys are escaped; the client gives them back as written.',
    'docs/contract/trust-boundary.md#look-alikes; docs/decisions/0038-errors-of-peers.md',
  ],
  'trust.history-is-wrapped': [
    'The history in the task of an agent is wrapped whatever role its messages name, because the agent wrote it.',
    'docs/contract/trust-boundary.md#what-is-wrapped; docs/decisions/0038-errors-of-peers.md',
  ],
  'trust.each-form-of-a-caller': [
    'Whatever an agent answers, each of its texts is in markers in the form of A2A 0.3 and of 1.0, and of a state of a task only the known words pass in 1.0.',
    'docs/contract/trust-boundary.md#what-is-wrapped; docs/decisions/0019-wrapping-peer-text.md',
  ],
  'trust.own-metadata': [
    'The task of an agent has none of the metadata by which the platform says how a message ended.',
    'docs/contract/trust-boundary.md#what-a-peer-chooses',
  ],
});
