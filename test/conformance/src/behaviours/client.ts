import { behaviours } from './behaviour.ts';

/** What the TypeScript client does with a platform, ours and others of the family. */
export const CLIENT = behaviours({
  'client.register.stores-the-token': [
    'register() stores the token it is given and uses it; again, it neither loses nor replaces it.',
    'docs/contract/authentication.md#tokens; docs/decisions/0003-first-registration.md',
  ],
  'client.wrong-options': [
    'An option of a client or an agent that has the wrong type is a ConfigurationError that names it and has a hint, before anything is sent.',
    'docs/contract/receiving.md#mounting',
  ],
  'client.files-are-private': [
    'The token file is 0600 in a 0700 folder.',
    'docs/contract/authentication.md#tokens; docs/decisions/0028-private-files.md',
  ],
  'client.result-shapes': [
    'callPeer finds the text in every result shape, and strips the boundary markers from text and parts.',
    'docs/contract/messages.md#text-of-an-answer; docs/contract/trust-boundary.md#stripping',
  ],
  'client.forged-markers': [
    'A peer text with markers of its own comes out of callPeer character by character.',
    'docs/contract/trust-boundary.md#look-alikes; docs/decisions/0021-stripping.md',
  ],
  'client.dispatcher': [
    'A client sends its requests through the dispatcher it is given, in the order of its handlers, and closes its own exchanges only.',
    'docs/decisions/0107-own-dispatcher.md',
  ],
  'client.for-a-model': [
    'What a peer wrote is fenced for a model, by toString and JSON as well.',
    'docs/decisions/0022-text-for-models.md',
  ],
  'client.queued-is-no-error': [
    'A call that is queued is a reply of status queued, and waitForAnswer brings the answer later.',
    'docs/contract/messages.md#held-calls; docs/decisions/0011-answers.md',
  ],
  'client.errors-by-kind': [
    'A denied call is AccessDenied, a removed workspace WorkspaceRemoved, a lost cursor CursorLost, a wrong token unauthorized.',
    'docs/contract/messages.md#sending; docs/decisions/0017-pause-and-removal.md',
  ],
  'client.inbound-message': [
    'fetchInbound gives messages with the union of the fields of both generations, oldest first.',
    'docs/decisions/0015-inbound-message.md',
  ],
  'client.reply-once': [
    'Replying twice to one message is one answer, to a peer and to a person.',
    'docs/contract/compatibility.md#python-sdk-readme; docs/decisions/0012-delivery-guarantee.md',
  ],
  'client.reply-refuses': [
    'A blank reply, and a reply to an unknown source, are refused before anything is sent.',
    'docs/contract/messages.md#messages-to-the-user; docs/contract/compatibility.md#python-sdk-readme',
  ],
  'client.rotate-token': [
    'rotateToken mints, stores, tries and only then revokes the old token.',
    'docs/contract/authentication.md#tokens',
  ],
  'client.redaction': [
    'Logs and errors do not contain credentials of at least 16 characters where they are whole words; shorter ones do not hide words of other texts.',
    'docs/decisions/0048-logs-by-default.md',
  ],
  'client.headers': [
    'Every request names its caller in both headers, the organisation if set, and the platform as Origin.',
    'docs/contract/authentication.md#caller-headers; docs/decisions/0027-origin-and-organisation.md',
  ],
  'client.origin-as-given': [
    'An Origin that the user sets is sent as given, also when it is not an origin.',
    'docs/contract/compatibility.md#remote-workspaces-guide; docs/decisions/0027-origin-and-organisation.md',
  ],
  'client.bearer-stays-home': [
    'The bearer is never sent to another origin than the platform’s: redirects are refused.',
    'docs/decisions/0009-peer-tokens.md',
  ],
  'client.pages-of-proxies': [
    'A 502, 503 or 504 without JSON has a hint that names the proxy in front of the platform, of a 504 its time-out; it is retried like one of the platform.',
    'docs/decisions/0125-behind-proxies.md',
  ],
  'client.retries': [
    'A heartbeat is repeated after 503 with the same content, at most three times.',
    'docs/decisions/0018-retries.md',
  ],
  'client.retry-after': [
    'A Retry-After is obeyed, and one above 30 s ends the repetitions and is reported.',
    'docs/decisions/0018-retries.md',
  ],
  'client.never-retries': [
    'A 400 and a 401 are not repeated, nor is a create.',
    'docs/contract/limits.md#retries-of-the-client; docs/decisions/0018-retries.md',
  ],
  'client.failed-delivery': [
    'A call whose delivery fails for good resolves as failed with the code of its record, without a repetition.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0029-every-message-ends.md',
  ],
  'client.too-large-says-where': [
    'An answer above the limit of the client is an error that says where the answer is; the platform does not count it as received.',
    'docs/contract/messages.md#size-of-an-answer; docs/decisions/0035-size-of-answers.md',
  ],
  'client.no-peer-words-in-errors': [
    'An error of a call to a peer has no words of the peer in its message, hint, excerpt or log form.',
    'docs/contract/trust-boundary.md#what-a-peer-chooses; docs/decisions/0038-errors-of-peers.md',
  ],
  'client.bare-404-is-routing': [
    'A 404 without deleted: true is a routing problem and not a deletion.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0017-pause-and-removal.md',
  ],
  'client.operator': [
    'The operator client creates, lists, changes, pauses, resumes, writes to and removes workspaces.',
    'docs/contract/presence.md#create; docs/contract/presence.md#read-and-change',
  ],
});
