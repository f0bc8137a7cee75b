import { behaviours } from './behaviour.ts';

export const CLIENT = behaviours({
  'client.register.stores-the-token': [
    '`register` stores the token that it is given and keeps it when it is called again.',
    'docs/contract/authentication.md#tokens; docs/decisions/0003-first-registration.md',
  ],
  'client.rotate-token': [
    '`rotateToken` gives the client a new token that works and revokes the old one.',
    'docs/contract/authentication.md#tokens; docs/decisions/0004-tokens.md#decision',
  ],
  'client.rotation-failed': [
    'A token rotation that fails leaves the client with a token that works.',
    'docs/decisions/0004-tokens.md#decision',
  ],
  'client.headers': [
    'Every request names its caller, the organisation if set, and an `Origin`.',
    'docs/contract/authentication.md#caller-headers; docs/decisions/0027-origin-and-organisation.md',
  ],
  'client.bearer-stays-home': [
    'The client sends its platform token to the origin of the platform and nowhere else.',
    'docs/decisions/0009-peer-tokens.md; docs/decisions/0101-direct-peer-calls.md',
  ],
  'client.redaction': [
    'Logs and errors hide credentials of at least 16 characters.',
    'docs/decisions/0048-logs-by-default.md',
  ],
  'client.result-shapes': [
    '`callPeer` returns a peer’s text as the peer wrote it, from every shape of result.',
    'docs/contract/messages.md#text-of-an-answer; docs/contract/trust-boundary.md#stripping',
  ],
  'client.queued-is-no-error': [
    'A call that is not answered in time returns `queued`, and `waitForAnswer` returns its end later.',
    'docs/contract/messages.md#held-calls; docs/decisions/0011-answers.md',
  ],
  'client.answer-of-the-asked': [
    '`waitForAnswer` takes an answer only from the workspace that was asked, if the client knows which.',
    'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word',
  ],
  'client.too-large-says-where': [
    'An answer above the client’s own limit is an error that says where to read it.',
    'docs/contract/messages.md#size-of-an-answer; docs/decisions/0035-size-of-answers.md',
  ],
  'client.inbound-message': [
    '`fetchInbound` returns messages oldest first, each with its text, parts, sender and ids.',
    'docs/decisions/0015-inbound-message.md',
  ],
  'client.reply-refuses': [
    'A blank reply, or one to an unknown source, is refused before anything is sent.',
    'docs/contract/messages.md#messages-to-the-user; docs/contract/compatibility.md#python-sdk-readme',
  ],
  'client.operator': [
    'The operator client creates, reads, changes, pauses, resumes, writes to and removes workspaces.',
    'docs/contract/presence.md#create; docs/contract/presence.md#read-and-change',
  ],
  'client.errors-by-kind': [
    'Denied access, a removed workspace, a lost cursor and a wrong token are errors of different kinds.',
    'docs/contract/messages.md#sending; docs/decisions/0017-pause-and-removal.md',
  ],
  'client.bare-404-is-routing': [
    'A 404 means a deleted workspace only if its body has `deleted: true`.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0017-pause-and-removal.md',
  ],
  'client.no-peer-words-in-errors': [
    'The error of a call to a peer shows and logs no words of the peer.',
    'docs/contract/trust-boundary.md#what-a-peer-chooses; docs/decisions/0038-errors-of-peers.md',
  ],
  'client.pages-of-proxies': [
    'A 502, 503 or 504 without JSON is an error that points to the proxy before the platform.',
    'docs/decisions/0125-behind-proxies.md',
  ],
  'client.delivered-unknown': [
    'The error of a message that may have been delivered says `delivered: "unknown"`.',
    'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word; docs/contract/messages.md#push-delivery',
  ],
  'client.no-repeats': [
    'A message that may have been delivered is sent again only where repeats of it are recognised.',
    'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word; docs/decisions/0010-message-dedupe.md',
  ],
  'client.retries': [
    'The client retries a temporary failure at most three times, and only where repeating is safe.',
    'docs/contract/limits.md#retries-of-the-client; docs/decisions/0018-retries.md',
  ],
  'client.retry-after': [
    'The client obeys a `Retry-After` of at most 30 s and reports a longer one.',
    'docs/decisions/0018-retries.md',
  ],
  'client.dispatcher': [
    'A client sends its requests through the dispatcher that it is given, and leaves that open.',
    'docs/decisions/0107-own-dispatcher.md',
  ],
  'client.proxy.setting': [
    'The option `proxy`, or for remote platforms HTTPS_PROXY, HTTP_PROXY and NO_PROXY, sets a client’s proxy.',
    'docs/decisions/0124-http-proxies.md',
  ],
  'client.proxy.agent': [
    'An agent behind a proxy polls, answers, streams and sends heartbeats through it.',
    'docs/decisions/0124-http-proxies.md',
  ],
  'client.proxy.heartbeats': [
    'The heartbeats of a blocked agent go through the HTTP proxy too.',
    'docs/decisions/0124-http-proxies.md',
    'test:processes',
  ],
  'client.proxy.direct-calls': [
    'Direct calls to peers do not pass the proxy.',
    'docs/decisions/0124-http-proxies.md',
  ],
  'client.proxy.tunnels': [
    'A proxy gets only CONNECT requests and cannot read what is sent to an https platform.',
    'docs/decisions/0124-http-proxies.md',
  ],
  'client.proxy.credentials': [
    'The credentials of a proxy are sent to that proxy only, and stay out of logs and errors.',
    'docs/decisions/0124-http-proxies.md',
  ],
  'client.proxy.errors': [
    'A failure of the proxy is an error that names the proxy and says that nothing was delivered.',
    'docs/decisions/0124-http-proxies.md',
  ],
  'values.derived-message-id': [
    'Messages sent with the id derived from one key are one message, also from another process.',
    'docs/contract/messages.md#sending; docs/decisions/0010-message-dedupe.md',
  ],
  'values.send-without-waiting': [
    '`sendToPeer` resolves as soon as the platform has stored the message.',
    'docs/contract/messages.md#held-calls; docs/decisions/0011-answers.md',
  ],
  'values.reply-as-data': [
    'A reply can be stored as JSON and restored with every field.',
    'docs/decisions/0039-types-cross-module-formats.md',
  ],
  'values.copies-share-a-process': [
    'The ES module and the CommonJS copy of core in one process work together as one.',
    'docs/decisions/0039-types-cross-module-formats.md',
    'test:packed',
  ],
  'options.wrong-are-refused': [
    'A wrong option is refused with an error that names it, before anything is sent.',
    'docs/contract/compatibility.md#unknown-options; docs/contract/receiving.md#mounting',
  ],
  'options.unknown-of-answers': [
    'An unknown key in an answer or a failure is ignored with a warning that names the key meant.',
    'docs/contract/compatibility.md#unknown-options; docs/decisions/0031-what-a-handler-returns.md',
  ],
  'options.of-tests': [
    'A test platform and a temporary state can be spread into the options of a client.',
    'docs/contract/compatibility.md#unknown-options',
  ],
});
