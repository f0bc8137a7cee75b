/** What the sources ask for and has no id yet, with the reason. The report prints it. */
export const LATER: readonly { readonly what: string; readonly because: string }[] = [
  { what: 'wire contract 10.3 vector 22, secrets pull', because: 'the secrets routes do not exist yet' },
  {
    what: 'wire contract 10.3 vector 10, secrets with an old token',
    because: 'the secrets routes do not exist yet',
  },
  { what: 'seeds 000 and 001, GET …/secrets', because: 'the secrets routes do not exist yet' },
  { what: 'wire contract 10.3 vector 23, plugin archives', because: 'plugins do not exist yet' },
  { what: 'wire contract 10.3 vector 26, delegation', because: 'the delegation routes do not exist yet' },
  { what: 'wire contract 10.3 vector 7, one WORKSPACE_OFFLINE event', because: 'events have no route yet' },
  { what: 'decision 9, peer tokens', because: 'discover does not issue them yet' },
  { what: 'push delivery of an agent', because: 'core has no push server yet' },
];
