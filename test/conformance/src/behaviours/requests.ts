import { behaviours } from './behaviour.ts';

/** What every route has in common: bodies, errors, limits, headers; and which agent URLs are refused. */
export const REQUESTS = behaviours({
  'requests.errors-have-closed-codes': [
    'Every answer outside 2xx is JSON with an error text and a code of the closed list.',
    'docs/decisions/0025-errors.md',
  ],
  'requests.unknown-workspace': [
    'An unknown workspace id is a 404 for the operator, and for a workspace token what a stranger’s is.',
    'docs/contract/presence.md#read-and-change; docs/contract/presence.md#pause-and-resume',
  ],
  'requests.malformed-id': [
    'A path id that is not a UUID is a 400, and any letter case of a UUID is the same id.',
    'docs/contract/limits.md#fields; docs/contract/compatibility.md#request-aliases',
  ],
  'requests.invalid-json': [
    'A body that is not JSON is a 400 invalid_json.',
    'docs/contract/limits.md#bodies',
  ],
  'requests.wrong-type': [
    'A body that is JSON of another type than the route takes is a 400.',
    'docs/contract/limits.md#bodies',
  ],
  'requests.deep-nesting': [
    'A body nested thousands of levels deep is a 400 where it would be kept, and hurts nobody.',
    'docs/contract/limits.md#bodies',
  ],
  'requests.plain-text': [
    'NUL and half of a surrogate pair in an id, name, word, summary, path or query are a 400 that names the field.',
    'docs/contract/limits.md#plain-text; docs/decisions/0037-plain-text.md',
  ],
  'requests.ambiguous-urls': [
    'A URL with a backslash or a control character is a 400 that names the field, also in an agent card.',
    'docs/contract/limits.md#plain-text; docs/decisions/0037-plain-text.md',
  ],
  'requests.message-text-survives': [
    'Every character of a message, its answer, a notification, a card and a report comes back as it was sent.',
    'docs/contract/limits.md#plain-text; docs/decisions/0037-plain-text.md',
  ],
  'requests.refused-bodies-are-read': [
    'The sender of a body of up to 2 MiB that is refused for its size gets the whole response: its connection is not reset.',
    'docs/contract/limits.md#bodies',
  ],
  'requests.body-limit': ['A body over 1 MiB is a 413 in JSON, never cut.', 'docs/contract/limits.md#bodies'],
  'requests.content-type-is-not-checked': [
    'The content type of a request does not matter: curl’s default, text/plain and none are read as JSON.',
    'docs/contract/limits.md#bodies; docs/decisions/0001-published-pages-work.md',
  ],
  'requests.unknown-keys-are-ignored': [
    'Unknown keys of a body are ignored.',
    'docs/contract/limits.md#bodies',
  ],
  'requests.malformed-have-one-shape': [
    'Without Host, with an unknown Expect, by OPTIONS, as a form or as bytes that are not HTTP: JSON with a code.',
    'docs/contract/limits.md#bodies; docs/decisions/0025-errors.md',
  ],
  'requests.unknown-route': [
    'An unknown route and a wrong method are a 404 in JSON.',
    'docs/contract/compatibility.md#request-aliases; docs/decisions/0025-errors.md',
  ],
  'requests.origin-is-never-refused': [
    'A request is never refused for its Origin, whatever it says.',
    'docs/contract/authentication.md#origin; docs/decisions/0027-origin-and-organisation.md',
  ],
  'requests.public-url': [
    'The URLs in a create answer are those of the configured public URL.',
    'docs/contract/presence.md#create',
  ],
  'urls.production-refuses': [
    'Production refuses URLs of private, reserved, metadata and disguised addresses and of other schemes.',
    'docs/contract/presence.md#agent-addresses; docs/decisions/0002-two-modes.md',
  ],
  'urls.refused-at-create-register-and-patch': [
    'A forbidden URL is a 400 unsafe_url at create, register and patch, and nothing is stored.',
    'docs/contract/presence.md#agent-addresses',
  ],
  'urls.private-name-is-refused-at-connect': [
    'A name that resolves to a private address is stored, and no connection to it is made.',
    'docs/contract/presence.md#agent-addresses; docs/decisions/0001-published-pages-work.md',
  ],
  'urls.redirects-are-not-followed': [
    'A redirect of an agent, to a forbidden address or any other, is not followed.',
    'docs/contract/presence.md#agent-addresses',
  ],
  'urls.rebinding-does-not-help': [
    'The address that was vetted is the one that is connected: the name is asked once per connection.',
    'docs/contract/presence.md#agent-addresses; docs/decisions/0001-published-pages-work.md',
  ],
});
