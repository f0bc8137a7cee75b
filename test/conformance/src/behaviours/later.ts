/** What the sources ask for and has no id yet, with the reason. The report prints it. */
export const LATER: readonly { readonly what: string; readonly because: string }[] = [
  {
    what: 'secrets pull (docs/contract/compatibility.md#secrets-plugins-and-org-keys)',
    because: 'the secrets routes do not exist yet',
  },
  {
    what: 'secrets with the old token of a removed workspace (docs/contract/authentication.md#the-token-of-a-removed-workspace)',
    because: 'the secrets routes do not exist yet',
  },
  {
    what: 'GET …/secrets of the Remote Workspaces guide and the register tutorial',
    because: 'the secrets routes do not exist yet',
  },
  {
    what: 'plugin archives (docs/contract/compatibility.md#secrets-plugins-and-org-keys)',
    because: 'plugins do not exist yet',
  },
  {
    what: 'delegation (docs/decisions/0016-delegation.md)',
    because: 'the delegation routes do not exist yet',
  },
  {
    what: 'one WORKSPACE_OFFLINE event for each outage (docs/contract/presence.md#events)',
    because: 'events have no route yet',
  },
];
