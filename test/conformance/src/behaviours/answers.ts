import { behaviours } from './behaviour.ts';

/** How an answer finds its question, and how much its text is to be trusted. */
export const ANSWERS = behaviours({
  'answers.held-call': [
    'A call to a polling agent is held and answered with the agent’s reply.',
    'decision 11',
  ],
  'answers.held-call-then-202': [
    'A call that nobody answered in time is a 202; by default it is held 25 s.',
    'decision 11',
  ],
  'answers.x-timeout-is-a-deadline': [
    'X-Timeout sets how long a call is held, 0 holds it not at all, and nonsense is a 400.',
    'decision 11; wire contract 9 weakness 12',
  ],
  'answers.late-reply-reaches-the-feed': [
    'A reply nobody waits for reaches the caller’s feed with in_reply_to and its wrapped text as params.result.',
    'decision 11; seed 000, OFFSEC-003',
  ],
  'answers.awaited-reply-is-no-row': [
    'A reply that answers a held call is not a row of the caller’s feed as well.',
    'decision 11',
  ],
  'answers.message-wait': [
    'GET …/messages/:messageId?wait=N returns as soon as the message is answered, with the answer.',
    'decision 11',
  ],
  'answers.twice-is-one': ['The same reply sent twice is one answer.', 'decisions 11 and 12'],
  'answers.only-the-asked-may-answer': [
    'A workspace that was not asked cannot answer in another’s name.',
    'decision 11',
  ],
  'answers.user-gets-the-notify': [
    'A notify with in_reply_to answers the held call of the person on the canvas.',
    'decision 11; wire contract 3.24',
  ],
  'answers.shape': [
    'An answer is a message of role agent with messageId and parts, under the JSON-RPC id of its question.',
    'decision 26',
  ],
  'answers.row-knows-its-answer': [
    'The inbound row of an answered message shows the answer and its state.',
    'decision 14; wire contract 3.23',
  ],
  'trust.wrapped-for-workspaces': [
    'An answer of a peer reaches a workspace wrapped: each text part by itself, and joined as result.text.',
    'decision 19; seeds 000 and 003',
  ],
  'trust.every-result-shape': [
    'Every result shape of an agent is wrapped, and its text is found by the client.',
    'decision 19; wire contract 3.21, 10.3 vector 19',
  ],
  'trust.people-see-bare-text': [
    'A person on the canvas gets the answer of an agent unwrapped.',
    'decision 19',
  ],
  'trust.forged-markers-lose-nothing': [
    'Markers inside a peer’s text, nested, reversed or disguised, neither break the wrapping nor lose a character.',
    'decision 20; wire contract 10.3 vector 20',
  ],
  'trust.wrapping-can-be-switched-off': [
    'With MOLECULE_WRAP_PEER_RESULTS=false answers are passed on as they came.',
    'decision 19',
  ],
  'trust.strip-undoes-wrap': [
    'Stripping gives back what was wrapped, and leaves text without a full pair of markers unchanged.',
    'decisions 20 and 21; seed 003',
  ],
});
