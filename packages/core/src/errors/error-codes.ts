/**
 * Every `code` a {@link MoleculeError} can carry, with one sentence each: what happened and what to do.
 * The list is closed; branch on `error.code`, never on message text.
 */
export const MOLECULE_ERROR_CODES = {
  configuration_invalid:
    'An option or environment variable is missing or unusable: correct the named setting.',
  invalid_argument: 'A method was called with a value it cannot use: correct the call, nothing was sent.',
  client_closed: 'The client was closed: create a new one.',
  connection_failed: 'No connection, or it broke before the answer was complete: check address and network.',
  timed_out: 'No complete answer within the deadline: try again, or allow more time.',
  unauthorized: 'The platform did not accept the credential: register, or supply a valid token.',
  access_denied:
    'The credential is valid but not allowed to do this: check hierarchy, Origin and organisation.',
  not_found: 'The platform knows no such thing: check the id.',
  routing_problem:
    'Something in front of the platform answered: check platformUrl, Origin and X-Molecule-Org-Id.',
  conflict: 'The request contradicts the present state, for example a reused key with another body.',
  budget_exceeded: 'The target workspace has spent its budget: raise it or wait.',
  payload_too_large: 'The request is larger than the platform accepts: send less.',
  rate_limited: 'Too many requests: wait for retryAfterMs.',
  inbox_full: 'The target has too many unacknowledged messages: it has to catch up first.',
  request_rejected: 'The platform refused the request as malformed: correct it, a retry will not help.',
  platform_unavailable: 'The platform, or the agent behind it, is unavailable for now: try again later.',
  platform_error: 'The platform failed while handling the request: report it if it persists.',
  unexpected_response:
    'The answer is not what this route returns: check that platformUrl is a Molecule platform.',
  response_too_large: 'The answer is larger than the limit: ask for less.',
  redirect_refused:
    'The answer is a redirect, which is never followed: set platformUrl to the final address.',
  workspace_removed: 'The workspace was removed and cannot come back: create a new workspace and token.',
  workspace_paused: 'The workspace is paused: wait until an operator resumes it.',
  cursor_lost: 'The platform no longer knows the cursor: start again without it, duplicates are possible.',
  storage_failed:
    'A file in the state folder could not be read or written: check the folder, its owner and mode, and the disk.',
  credential_storage_failed:
    'The file of the token could not be read or written: check its folder, owner and mode.',
  lock_timeout: 'Another process holds the lock of a private file: stop the other process or retry.',
  handler_failed: 'The message handler threw or ran out of attempts: see cause.',
  cancelled_by_sender:
    'The sender took the message back while it was handled: end the work, no answer is due.',
  agent_stopped: 'The agent was stopped: start a new one.',
  workspace_in_use:
    'Another process runs an agent for this workspace from the same stateDirectory: stop it, or give this one its own workspace.',
} as const;

/** One of the keys of {@link MOLECULE_ERROR_CODES}. */
export type MoleculeErrorCode = keyof typeof MOLECULE_ERROR_CODES;
