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
  'feed.before-id': [
    '`before_id` selects the rows before a row, in both orders and with every other filter; an unknown row is a 410.',
    'docs/contract/feed.md#reading-a-page',
  ],
});
