import { behaviours } from './behaviour.ts';

const PAGE = 'docs/contract/questions.md';
const DECISION = 'docs/decisions/0033-questions.md';

/** Agents ask while they handle a message, and continue with the answers. */
export const QUESTIONS = behaviours({
  'questions.answered-by-task': [
    'A message whose taskId names the message of its sender that an agent interrupted answers the text questions of the sender; others and approvals are not answered.',
    'docs/contract/questions.md#who-answers',
  ],
  'questions.interrupt': [
    'An answer with questions interrupts its message: a held call gets 200 with an input-required task, and the row is finished for the acknowledgement.',
    `${PAGE}#asking; ${DECISION}`,
  ],
  'questions.on-the-feed': [
    'A caller that does not wait gets the questions as a message on its feed, once.',
    `${PAGE}#asking`,
  ],
  'questions.in-a-reply': [
    'Questions in a reply are a message on the feed of who is replied to, also when it expected no answer; it gets the end as well.',
    `${PAGE}#asking`,
  ],
  'questions.rounds': [
    'A message is interrupted at most 20 times, by the runs that continue it; then asking is a 400, and all end with one answer.',
    `${PAGE}#the-end-of-the-message; docs/contract/limits.md#counts`,
  ],
  'questions.turns': [
    'A message with answers is a turn on the path of the interrupted one, and counts in the rate of its pair like others.',
    `${PAGE}#the-end-of-the-message; docs/contract/limits.md#loops`,
  ],
  'questions.listed': [
    'GET …/questions lists the questions of a workspace by state, for its own token and operators, with text and data as plain data.',
    `${PAGE}#listing`,
  ],
  'questions.pages': [
    'The list of questions is read in pages by limit and offset, newest first, and says whether there are more.',
    `${PAGE}#listing`,
  ],
  'questions.delivered-together': [
    'The answers to all questions of a message are delivered in one message, each with the text of its question, when the last of them is answered.',
    `${PAGE}#delivery-of-the-answers`,
  ],
  'questions.late-answer': [
    'The answer to the message with the answers is the answer of the interrupted message too, whose sender gets it as a late answer.',
    `${PAGE}#the-end-of-the-message; ${DECISION}`,
  ],
  'questions.ends-alike': [
    'An interrupted message is delivered again with a fresh time to live, and ends exactly as the message with the answers ends.',
    `${PAGE}#the-end-of-the-message`,
  ],
  'questions.asked-again': [
    'A run that continues may ask again: its questions interrupt the first message again, which ends with the last run.',
    `${PAGE}#the-end-of-the-message`,
  ],
  'questions.approval-by-people': [
    'An approval is decided by an operator, a session or the user of the canvas: never by another workspace, and never by a text.',
    `${PAGE}#who-answers; ${DECISION}`,
  ],
  'questions.sender-answers': [
    'The workspace that sent the message answers a text question by a message with metadata.answers, and gets the answer of its agent to that.',
    `${PAGE}#who-answers`,
  ],
  'questions.forged': [
    'metadata.answers of anybody who may not answer is removed before the message is stored, and nobody writes who answered.',
    `${PAGE}#who-answers; ${DECISION}`,
  ],
  'questions.other-conversation': [
    'Answers are delivered in the conversation of the message that raised the question, one message for each, wherever they were given.',
    `${PAGE}#delivery-of-the-answers`,
  ],
  'questions.expire': [
    'A question that nobody answers closes with its message, which expires after the time limit of questions; its caller is notified.',
    `${PAGE}#closed-questions`,
  ],
  'questions.deadline': [
    'The deadline of a message ends it while it waits for answers and while it continues.',
    `${PAGE}#closed-questions`,
  ],
  'questions.closed': [
    'A question whose message has ended is closed: 409 question_closed. One that the workspace did not ask is a 404 question_not_found.',
    `${PAGE}#closed-questions; ${DECISION}`,
  ],
  'questions.idempotent': [
    'The same answer again changes nothing, another one is a 409 question_closed, and a repeated message is one message.',
    `${PAGE}#who-answers`,
  ],
  'questions.limits': [
    'Questions that cannot be asked, and answers of the wrong kind, are a 400 that says why, and change nothing.',
    `${PAGE}#asking; docs/contract/limits.md#counts`,
  ],
  'questions.shares': [
    'The messages of one workspace leave an agent questions for other workspaces, and those of all workspaces leave some for people.',
    'docs/contract/limits.md#counts',
  ],
  'questions.wrapped': [
    'The text of a question reaches a workspace wrapped and people as plain data.',
    `${PAGE}#asking; docs/contract/trust-boundary.md`,
  ],
  'questions.restart': [
    'Questions, and the messages that wait for them, survive a restart of the platform.',
    DECISION,
  ],
  'questions.cancel': [
    'Cancelling an interrupted message closes its questions; cancelling one that continues ends the message with the answers as well.',
    `${PAGE}#closed-questions`,
  ],
  'questions.agent': [
    'A handler that returns questions gets their answers in message.answers of a new message, whose answer its sender gets; also after a restart of the agent.',
    DECISION,
  ],
  'questions.derived-ids': [
    'A question without an id gets one that depends on the message and its place, the same however often the answer is sent.',
    `${PAGE}#asking; ${DECISION}`,
  ],
  'questions.refused-at-once': [
    'An answer whose questions the platform refuses ends its message as failed, `invalid_answer`, without another attempt.',
    `${PAGE}#asking; ${DECISION}`,
  ],
  'questions.workspaces-decide-nothing': [
    'callPeer refuses an answer that decides an approval with `invalid_argument`, before anything is sent.',
    `${PAGE}#who-answers`,
  ],
  'questions.client': [
    'PeerReply.questions are what a peer asks, callPeer sends answers in the conversation of the question, and an operator lists and answers.',
    `${PAGE}#who-answers; ${DECISION}`,
  ],
  'questions.direct': [
    'POST …/questions stores the questions of a direct message, once, and the sender gets the answer of the run that continues.',
    `${PAGE}#direct-messages`,
  ],
  'questions.direct-ids': [
    'A direct message that raised questions uses no message id of its sender, and is not in its list of sent messages; the sender reads and cancels it by its id.',
    `${PAGE}#direct-messages`,
  ],
  'questions.direct-replies-count': [
    'Replies to direct messages count against the inbox of their sender and are refused when it is full; other outcomes of them are then in the record only.',
    `docs/contract/limits.md#inbox; ${PAGE}#direct-messages`,
  ],
  'questions.direct-ids-are-of-one-agent': [
    'A message id that several agents name as direct is the message of the agent in the path; the record refuses it with 409 and the row ids.',
    `${PAGE}#direct-messages`,
  ],
  'questions.posted-about-a-message': [
    'Questions that are posted about a message of the platform reach its sender, in the held call or on the feed.',
    `${PAGE}#direct-messages`,
  ],
  'questions.deleted-with-the-message': [
    'Questions count with the size of their message and are deleted with it.',
    'docs/contract/limits.md#finished-messages',
  ],
  'questions.answers-are-not-sent': [
    'A message that the platform writes to deliver answers is not in the list of what the sender of the interrupted message sent.',
    `${PAGE}#delivery-of-the-answers`,
  ],
});
