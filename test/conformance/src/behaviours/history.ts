import { behaviours } from './behaviour.ts';

/** What was said in a conversation, as an agent reads it. */
export const HISTORY = behaviours({
  'history.conversation': [
    'The history of a conversation has the messages to the agent and its answers, oldest first, each once, with what became of the messages; texts of peers are fenced for a model, those of people and of the agent are not.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0121-history-of-a-conversation.md',
  ],
  'history.in-a-handler': [
    'In a handler the history ends before the message that is handled, also in another attempt and when later messages have come.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0121-history-of-a-conversation.md',
  ],
  'history.pages': [
    'Pages of a history, read backwards, have each entry once, also when all rows have the same time.',
    'docs/contract/feed.md#history-of-a-conversation',
  ],
  'history.own': [
    'The history of a workspace has rows of its own feed only, whatever conversation is asked for.',
    'docs/contract/feed.md#history-of-a-conversation',
  ],
  'history.questions': [
    'An answer that was given after a question is in the history once, after the answer to the question.',
    'docs/contract/feed.md#history-of-a-conversation',
  ],
  'history.direct': [
    'The history of a conversation of direct messages is empty, and the handler goes on.',
    'docs/contract/feed.md#history-of-a-conversation',
  ],
  'history.hostile': [
    'Nothing that a peer sends is in a history as words of the agent or of a person, as an answer that it did not give, outside of a fence, or in another conversation.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0121-history-of-a-conversation.md',
  ],
  'history.answers-to-people': [
    'An answer to a person is in the pages of a history once and whole, also when a page begins between its message and its own row; so is a second word on the same message.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0121-history-of-a-conversation.md',
  ],
  'history.long-texts': [
    'An entry of a history whose text the platform cut is marked as cut; messages are never cut.',
    'docs/contract/feed.md#sizes; docs/contract/feed.md#history-of-a-conversation',
  ],
  'history.other-platforms': [
    'On a platform without `conversation_id` or `before_id` a history has no entry of another conversation, and none from the given row on.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0121-history-of-a-conversation.md',
  ],
  'history.paused': [
    'The history of a paused workspace has what its feed shows: a row that the pause hides is neither an entry nor a place.',
    'docs/contract/feed.md#history-of-a-conversation; docs/decisions/0047-paused-means-silent.md',
  ],
  'history.in-a-handler-ends': [
    'Reading the history in a handler ends with the message that is handled, or with a signal of its own.',
    'docs/contract/feed.md#history-of-a-conversation',
  ],
  'feed.before-id': [
    '`before_id` selects the rows before a row, in both orders and with every other filter; an unknown row is a 410.',
    'docs/contract/feed.md#reading-a-page',
  ],
});
