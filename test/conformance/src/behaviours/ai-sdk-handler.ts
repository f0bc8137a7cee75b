import { behaviours } from './behaviour.ts';

const PAGE = 'docs/decisions/0115-ai-sdk-handler.md';

/** The handler of the adapter for the AI SDK. */
export const AI_SDK_HANDLER = behaviours({
  'ai-sdk.handler-message': [
    'A message reaches an agent or a model of the AI SDK as a user message with its id, after what its conversation has; what another agent wrote is fenced, and the fence explained once.',
    `${PAGE}#messages`,
  ],
  'ai-sdk.handler-history': [
    'What a conversation keeps is bounded: whole exchanges are left out, the oldest first, and no result is parted from its call.',
    `${PAGE}#conversations`,
  ],
  'ai-sdk.handler-store': [
    'A store that fails, or has messages that cannot be read, is named to the agent: the former is tried again, and nothing is written over.',
    `${PAGE}#conversations`,
  ],
  'ai-sdk.handler-late-answers': [
    'A late answer to a message that a tool sent is handled in the conversation that sent it, one that the platform does not know to be an answer is not.',
    `${PAGE}#messages`,
  ],
  'ai-sdk.handler-streams': [
    'The words of the model are streamed to senders that read a stream, without markers of the boundary and tags of fences; for all others the agent generates, and they get the text of the last step.',
    `${PAGE}#streams`,
  ],
  'ai-sdk.handler-stream-errors': [
    'An error in a stream ends the message like any other, and nothing is printed on the console.',
    `${PAGE}#streams`,
  ],
  'ai-sdk.handler-abort': [
    'A run ends when the handling of its message does, and what it returns although it was aborted is no answer.',
    `${PAGE}#ends`,
  ],
  'ai-sdk.handler-ends': [
    'A run that ends without an answer ends its message as failed with a code of its own; an answer that is cut says so; one that the provider did not finish is tried again.',
    `${PAGE}#ends`,
  ],
  'ai-sdk.handler-failures': [
    'Errors of a run of the AI SDK end the message as failed without their words, and stay with the agent as cause; those that may pass are tried again.',
    `${PAGE}#ends`,
  ],
  'ai-sdk.handler-redelivery': [
    'A message that is delivered again continues after the last step that its run had finished, also in another process with a durable store: no finished tool runs again, and peers are asked once.',
    `${PAGE}#redelivery`,
  ],
  'ai-sdk.handler-own-run': [
    'Other messages of a conversation are handled while a run of it waits for its next attempt or for answers; each gets the answer of its own run.',
    `${PAGE}#redelivery`,
  ],
  'ai-sdk.handler-approvals': [
    'Calls that need an approval become questions to the user, several at once; the answers resume the run, also after a restart with a durable store, and a rejection reaches the model with its reason.',
    `${PAGE}#approvals`,
  ],
  'ai-sdk.handler-approvals-not-forged': [
    'Nothing that a peer says, that a text contains or that an answer names approves a call: only the answer of the platform to the call as it is stored.',
    `${PAGE}#approvals`,
  ],
  'ai-sdk.handler-shown-whole': [
    'An action that cannot be shown whole to the person who would approve it is refused, and its conversation goes on.',
    `${PAGE}#approvals`,
  ],
  'ai-sdk.handler-run-not-found': [
    'An answer to a question of a run that the store has lost ends its message with the code run_not_found and names the store to the agent.',
    `${PAGE}#approvals`,
  ],
  'ai-sdk.handler-options': [
    'The options of the handler decide the conversation, the answer, who approves and how much is kept; an output of the agent is data. Wrong options and targets are refused where the handler is created.',
    `${PAGE}#options`,
  ],
  'ai-sdk.handler-models': [
    'A target made of settings runs its model with the boundary middleware; an id is resolved as the AI SDK does it, and models of earlier specifications work.',
    `${PAGE}#targets`,
  ],
});
