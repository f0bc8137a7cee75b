/**
 * Every `code` of a {@link MoleculeError}, with its meaning and what to do. The list is closed; branch on `error.code`,
 * never on message text.
 */
export const MOLECULE_ERROR_CODES = {
  configuration_invalid:
    'An option or environment variable is missing or invalid: correct the named setting.',
  invalid_argument: 'A method was called with an invalid value: correct the call. Nothing was sent.',
  client_closed: 'The client was closed: create a new one.',
  connection_failed:
    'The connection failed or was closed before the response was complete: check address and network.',
  timed_out: 'The deadline passed: retry, or allow more time.',
  unauthorized: 'The platform did not accept the credential: register, or supply a valid token.',
  access_denied:
    'The credential is valid but not allowed to do this: check hierarchy, Origin and organisation.',
  not_found: 'The platform does not know this resource: check the id.',
  routing_problem:
    'The response came from a gateway, not from the platform: check platformUrl, Origin and X-Molecule-Org-Id.',
  conflict: 'The request conflicts with the current state, for example a key reused with another body.',
  loop_detected:
    'The call would continue a loop of agents that call each other: do not repeat it, answer without it.',
  budget_exceeded: 'The target workspace has spent its budget: raise it or wait.',
  payload_too_large: 'The request is larger than the platform accepts: send less.',
  rate_limited: 'Too many requests: wait for retryAfterMs.',
  inbox_full: 'The target has too many unacknowledged messages: retry when it has handled some.',
  quota_exceeded:
    'The workspace has stored as much of its own as it may: notify and report less until older rows are deleted.',
  request_rejected: 'The platform rejected the request as invalid: correct it; a retry does not help.',
  platform_unavailable: 'The platform, or the target agent, is temporarily unavailable: retry later.',
  platform_error: 'Internal error of the platform: report it if it persists.',
  unexpected_response:
    'The response does not match the route: check that platformUrl is a Molecule platform.',
  response_too_large: 'The response exceeds maxResponseBytes: request less.',
  redirect_refused:
    'The response is a redirect, which is never followed: set platformUrl to the final address.',
  workspace_removed:
    'A workspace was removed, which is final: for your own, create a new one with its token; instead of a peer, choose another.',
  workspace_paused: 'The workspace is paused: wait until an operator resumes it.',
  cursor_lost: 'The platform no longer knows the cursor: read again without it; duplicates are possible.',
  storage_failed:
    'A file in the state folder could not be read or written: check the folder, its owner and mode, and the disk.',
  credential_storage_failed: 'The token file could not be read or written: check its folder, owner and mode.',
  rotation_incomplete:
    'The new token is in use, but the old one may still be accepted: revoke all tokens and register again.',
  lock_timeout: 'Another process holds the lock of a private file: stop that process or retry.',
  handler_failed: 'The message handler threw an error or used all attempts: see cause.',
  cancelled_by_sender:
    'The sender cancelled the message while it was handled: stop the work; no answer is expected.',
  invalid_answer:
    'The message handler returned something that is not an answer: see the message of the error.',
  message_expired: 'The message expired before this answer: nobody waits for it.',
  not_supported: 'The platform does not offer this: update it, or do without.',
  agent_answer_too_large:
    'The answer of the message handler is longer than 10 Mi characters: store it elsewhere and answer with a reference.',
  stream_restarted:
    'The answer does not continue the text that was read before: discard that text, and read the whole with getMessage.',
  agent_stopped: 'The agent was stopped: start a new one.',
  peer_changed:
    'The name, the card or the address of the peer has changed since it was first used: check it, then acceptPeerChange.',
  workspace_in_use:
    'Another agent runs for this workspace: stop it, give this one its own workspace, or set onConflict.',
} as const;

export type MoleculeErrorCode = keyof typeof MOLECULE_ERROR_CODES;
