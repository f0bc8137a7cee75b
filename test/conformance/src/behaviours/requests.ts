import { behaviours } from './behaviour.ts';

/** What every route has in common: bodies, errors, limits, headers; and which agent URLs are refused. */
export const REQUESTS = behaviours({
  'requests.errors-have-closed-codes': [
    'Every answer outside 2xx is JSON with an error text and a code of the closed list.',
    'decision 25',
  ],
  'requests.unknown-workspace': [
    'An unknown workspace id is a 404 for the operator, and for a workspace token what a stranger’s is.',
    'wire contract 3.3 and 3.6',
  ],
  'requests.malformed-id': [
    'A path id that is no UUID is a 400, and any letter case of a UUID is the same id.',
    'wire contract 1.1, 3.3, 9 weakness 21',
  ],
  'requests.invalid-json': ['A body that is no JSON is a 400 invalid_json.', 'wire contract 1.1'],
  'requests.wrong-type': [
    'A body that is JSON of another type than the route takes is a 400.',
    'wire contract 1.1',
  ],
  'requests.deep-nesting': [
    'A body nested thousands of levels deep is a 400 where it would be kept, and hurts nobody.',
    'wire contract 9 weakness 35',
  ],
  'requests.body-limit': [
    'A body over 1 MiB is a 413 in JSON, never cut.',
    'wire contract 1.6, 9 weakness 13 and 35',
  ],
  'requests.content-type-is-not-checked': [
    'The content type of a request does not matter: curl’s default, text/plain and none are read as JSON.',
    'wire contract 1.1; decision 1',
  ],
  'requests.unknown-keys-are-ignored': ['Unknown keys of a body are ignored.', 'wire contract 1.1'],
  'requests.unknown-route': [
    'An unknown route and a wrong method are a 404 in JSON.',
    'wire contract 1.1; decision 25',
  ],
  'requests.origin-is-never-refused': [
    'A request is never refused for its Origin, whatever it says.',
    'decision 27; wire contract 8 row 15, 10.3 vector 25',
  ],
  'requests.rate-limit-is-per-token': [
    'The 601st request of a token within a minute is a 429 with Retry-After, and another token is not affected.',
    'wire contract 10.3 vector 24, 9 weakness 19',
  ],
  'requests.public-url': [
    'The URLs in a create answer are those of the configured public URL.',
    'wire contract 3.1 and 1.8',
  ],
  'urls.production-refuses': [
    'Production refuses URLs of private, reserved, metadata and disguised addresses and of other schemes.',
    'wire contract 1.7, 9 weakness 11, 10.3 vector 3; decision 2',
  ],
  'urls.refused-at-create-register-and-patch': [
    'A forbidden URL is a 400 unsafe_url at create, register and patch, and nothing is stored.',
    'wire contract 8 row 7, 10.3 vector 3',
  ],
  'urls.private-name-is-refused-at-connect': [
    'A name that resolves to a private address is stored, and no connection to it is made.',
    'decision 1; wire contract 9 weakness 11',
  ],
  'urls.redirects-are-not-followed': [
    'A redirect of an agent, to a forbidden address or any other, is not followed.',
    'wire contract 9 weakness 11',
  ],
  'urls.rebinding-does-not-help': [
    'The address that was vetted is the one that is connected: the name is asked once per connection.',
    'wire contract 1.7, 9 weakness 11; decision 1',
  ],
});
