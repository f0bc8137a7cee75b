import { behaviours } from './behaviour.ts';

/** What the TypeScript client does with a platform, ours and others of the family. */
export const CLIENT = behaviours({
  'client.register.stores-the-token': [
    'register() stores the token it is given and uses it; again, it neither loses nor replaces it.',
    'seed 003; wire contract 10.1 point 3; decision 3',
  ],
  'client.files-are-private': [
    'The token file is 0600 in a 0700 folder.',
    'decision 28; seed 003; wire contract 10.1 point 3',
  ],
  'client.result-shapes': [
    'callPeer finds the text in every result shape, and strips the boundary markers from text and parts.',
    'wire contract 3.21, 10.3 vector 19; decision 19; seed 003',
  ],
  'client.forged-markers': [
    'A peer text with markers of its own comes out of callPeer character by character.',
    'wire contract 10.3 vector 20; decisions 20 and 21',
  ],
  'client.for-a-model': [
    'What a peer wrote is fenced for a model, by toString and JSON as well.',
    'decision 22',
  ],
  'client.queued-is-no-error': [
    'A call that is queued is a reply of status queued, and waitForAnswer brings the answer later.',
    'decision 11; wire contract 9 weakness 39',
  ],
  'client.errors-by-kind': [
    'A denied call is AccessDenied, a removed workspace WorkspaceRemoved, a lost cursor CursorLost, a wrong token unauthorized.',
    'wire contract 10.1 points 4 and 9; decision 17',
  ],
  'client.inbound-message': [
    'fetchInbound gives messages with the union of the fields of both generations, oldest first.',
    'decision 15; seeds 000 and 003',
  ],
  'client.reply-once': [
    'Replying twice to one message is one answer, to a peer and to a person.',
    'decision 12; seed 003',
  ],
  'client.reply-refuses': [
    'A blank reply, and a reply to an unknown source, are refused before anything is sent.',
    'seed 003; wire contract 7',
  ],
  'client.rotate-token': [
    'rotateToken mints, stores, tries and only then revokes the old token.',
    'wire contract 3.8',
  ],
  'client.headers': [
    'Every request names its caller in both headers, the organisation if set, and the platform as Origin.',
    'wire contract 10.1 point 2; decisions 6 and 27',
  ],
  'client.origin-as-given': [
    'An Origin that the user sets is sent as given, also when it is no origin.',
    'seed 000, constructor; decision 27',
  ],
  'client.bearer-stays-home': [
    'The bearer is never sent to another origin than the platform’s: redirects are refused.',
    'decision 9; wire contract 9 weakness 23',
  ],
  'client.retries': [
    'A heartbeat is repeated after 503 with the same content, at most three times.',
    'decision 18',
  ],
  'client.retry-after': [
    'A Retry-After is obeyed, and one above 30 s ends the repetitions and is reported.',
    'decision 18',
  ],
  'client.never-retries': [
    'A 400 and a 401 are not repeated, nor is a create.',
    'decision 18; wire contract 10.1 point 4',
  ],
  'client.bare-404-is-routing': [
    'A 404 without deleted: true is a routing problem and not a deletion.',
    'decision 17; wire contract 3.7 and 8 row 13',
  ],
  'client.operator': [
    'The operator client creates, lists, changes, pauses, resumes, writes to and removes workspaces.',
    'wire contract 3.1 to 3.8',
  ],
});
