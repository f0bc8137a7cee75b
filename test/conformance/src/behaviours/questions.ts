import { behaviours } from './behaviour.ts';

export const QUESTIONS = behaviours({
  'questions.interrupt': [
    'A message whose agent asks stays open as `input_required` until it has its answers.',
    'docs/contract/questions.md#asking; docs/decisions/0033-questions.md',
  ],
  'questions.reach-the-sender': [
    'Questions about a message reach its sender in its call, or else once on its feed.',
    'docs/contract/questions.md#asking; docs/contract/questions.md#direct-messages',
  ],
  'questions.agent': [
    'A handler that returns questions gets their answers with a new message.',
    'docs/decisions/0033-questions.md',
  ],
  'questions.client': [
    'The client shows which questions a peer asks, and sends the answers in their conversation.',
    'docs/contract/questions.md#who-answers; docs/decisions/0033-questions.md',
  ],
  'questions.listed': [
    'The questions of a workspace are listed by state, newest first, for itself and for operators.',
    'docs/contract/questions.md#listing',
  ],
  'questions.approval-by-people': [
    'Only people and operators decide an approval, and never by a text alone.',
    'docs/contract/questions.md#who-answers; docs/decisions/0033-questions.md',
  ],
  'questions.sender-answers': [
    'The workspace that sent a message answers its text questions by a further message.',
    'docs/contract/questions.md#who-answers',
  ],
  'questions.forged': [
    'Answers of anybody who may not answer are removed before a message is stored.',
    'docs/contract/questions.md#who-answers; docs/decisions/0033-questions.md',
  ],
  'questions.idempotent': [
    'A question has one answer, which nothing said later changes.',
    'docs/contract/questions.md#who-answers',
  ],
  'questions.delivered-together': [
    'The answers to all questions of a message reach its agent together, in that message’s conversation.',
    'docs/contract/questions.md#delivery-of-the-answers',
  ],
  'questions.ends-alike': [
    'A message that was interrupted ends as the message with its answers does.',
    'docs/contract/questions.md#the-end-of-the-message; docs/decisions/0033-questions.md',
  ],
  'questions.rounds': [
    'An agent may ask again when it has answers, up to 20 times about one message.',
    'docs/contract/questions.md#the-end-of-the-message; docs/contract/limits.md#counts',
  ],
  'questions.expire': [
    'A message that waits for answers expires after 24 hours, or at its own deadline.',
    'docs/contract/questions.md#closed-questions',
  ],
  'questions.closed': [
    'A question is closed as soon as its message ends.',
    'docs/contract/questions.md#closed-questions; docs/decisions/0033-questions.md',
  ],
  'questions.limits': [
    'A question that cannot be asked, or an answer of the wrong kind, is refused with the reason.',
    'docs/contract/questions.md#asking; docs/contract/limits.md#counts',
  ],
  'questions.shares': [
    'Open questions about messages of one workspace leave room for those of others and of people.',
    'docs/contract/limits.md#counts',
  ],
  'questions.direct': [
    'An agent can ask about a direct message as about one from the platform.',
    'docs/contract/questions.md#direct-messages',
  ],
});
