/**
 * Every code of a platform error: its usual status, other statuses it may have, and one sentence with the cause and
 * what to do. The list is closed, because programs branch on the codes.
 */
interface Entry {
  readonly status: number;
  readonly also?: readonly number[];
  readonly description: string;
}

const ENTRIES = {
  // requests
  invalid_json: { status: 400, description: 'The body is not JSON; fix the body and send it again.' },
  invalid_request: {
    status: 400,
    also: [408, 417, 431],
    description: 'A field, parameter or header is invalid; `field` names it.',
  },
  invalid_workspace_id: { status: 400, description: 'An id that must be a UUID is not one; check the id.' },
  body_too_large: { status: 413, description: 'The body is over the size limit of the route; send less.' },
  unsupported_media_type: {
    status: 415,
    description: 'The route does not accept this content type; send JSON.',
  },
  not_found: {
    status: 404,
    description: 'The platform has no such route; check the platform URL and the path.',
  },
  method_not_allowed: { status: 405, description: 'The route exists with another method; check the method.' },
  idempotency_conflict: {
    status: 409,
    description: 'The idempotency key was used with another body; use a new key.',
  },
  rate_limited: {
    status: 429,
    description: 'Too many requests; wait `retry_after` seconds, then send again.',
  },
  // credentials and access
  missing_credentials: { status: 401, description: 'The route needs a bearer token or a session; send one.' },
  invalid_credentials: {
    status: 401,
    description: 'The credential is not accepted here; register or mint a token.',
  },
  forbidden: {
    status: 403,
    description: 'The credential is valid but not for this route; use an operator key.',
  },
  access_denied: {
    status: 403,
    description: 'The two workspaces may not communicate in the hierarchy; ask the parent.',
  },
  caller_mismatch: {
    status: 403,
    description: 'A caller header names another workspace than the token; drop the header.',
  },
  org_mismatch: {
    status: 404,
    description: 'X-Molecule-Org-Id is missing or names another org; set the org id.',
  },
  // workspaces
  workspace_not_found: {
    status: 404,
    description: 'No workspace has this id; check the id or create the workspace.',
  },
  workspace_removed: {
    status: 410,
    also: [401, 404],
    description: 'The workspace was removed permanently; stop the agent and create a new workspace.',
  },
  invalid_parent: {
    status: 400,
    description: 'parent_id is unknown, removed or would create a cycle; choose another parent.',
  },
  confirmation_required: {
    status: 409,
    description: 'The workspace has children; repeat with confirm=true.',
  },
  already_paused: {
    status: 404,
    also: [409],
    description: 'The workspace is already paused; nothing to do.',
  },
  not_paused: { status: 404, also: [409], description: 'The workspace is not paused; nothing to resume.' },
  parent_paused: { status: 409, description: 'An ancestor is paused; resume it first.' },
  url_required: { status: 400, description: 'Push delivery needs a url; send one or choose poll.' },
  unsafe_url: {
    status: 400,
    also: [502, 503],
    description:
      'The agent URL points to an address the platform refuses; use a public one or allow the network.',
  },
  token_limit: {
    status: 429,
    description: 'The workspace has its maximum of live tokens; revoke one first.',
  },
  identity_in_use: {
    status: 409,
    description:
      'Another running agent reads for this workspace; stop it, wait `retry_after` s, or take over.',
  },
  token_not_found: { status: 404, description: 'No live token has this id; list the tokens.' },
  org_key_not_found: { status: 404, description: 'No live org key has this id; list the org keys.' },
  org_key_limit: { status: 429, description: 'Too many org keys were minted in the last hour; wait.' },
  budget_exceeded: {
    status: 402,
    description: 'The target workspace has spent its monthly budget; an operator can raise it.',
  },
  // messages
  invalid_message: {
    status: 400,
    description: 'The body is JSON but not an A2A message; send a JSON-RPC message/send.',
  },
  message_id_conflict: {
    status: 409,
    description:
      'The messageId was used with another body, or names several messages; use a new messageId, or the row id of one of them.',
  },
  message_not_found: { status: 404, description: 'The caller sent no message with this id; check the id.' },
  answer_expired: { status: 410, description: 'The answer is no longer stored; send the message again.' },
  inbox_full: { status: 429, description: 'The target has too many unacknowledged messages; try later.' },
  quota_exceeded: {
    status: 429,
    description:
      'The workspace has stored as much of its own as it may; write less until older rows are deleted.',
  },
  agent_unreachable: {
    status: 502,
    also: [503],
    description: 'The platform cannot connect to the agent; see `delivered`.',
  },
  agent_error: {
    status: 502,
    description: 'The agent responded with an HTTP error status, which is passed on.',
  },
  agent_answer_invalid: {
    status: 502,
    description:
      'The agent responded with a body that is not JSON, or too complex, or with data that does not fit its skill; the message was delivered.',
  },
  invalid_data: {
    status: 400,
    description:
      'The data of a message does not fit the skill that it names; the text names the fields. From the agent.',
  },
  unknown_skill: {
    status: 404,
    description:
      'The agent has no skill that a message names; the text lists those that it has. From the agent.',
  },
  agent_answer_too_large: {
    status: 502,
    also: [413],
    description: 'The response of the agent is over 10 MiB; the message was delivered.',
  },
  agent_timeout: {
    status: 504,
    also: [503],
    description: 'The agent did not respond in time; it may still be working.',
  },
  agent_busy: {
    status: 503,
    description: 'The agent is busy and the message was not stored; wait `retry_after` s.',
  },
  not_accepting: {
    status: 503,
    description: 'The agent accepts no messages now: it is paused, stopping or full; send it again later.',
  },
  workspace_unavailable: {
    status: 503,
    description: 'The target is not available now; `status` gives the reason.',
  },
  cursor_not_found: {
    status: 410,
    description: 'The feed has no row with this cursor id; start again with unacknowledged=true.',
  },
  activity_not_found: {
    status: 404,
    description: 'The feed has no such row to acknowledge; read the feed again.',
  },
  source_mismatch: {
    status: 403,
    description: 'source_id is not the authenticated workspace; leave it out.',
  },
  message_ended: {
    status: 409,
    description: 'The message has ended and cannot be canceled; ask for its end with tasks/get.',
  },
  message_expired: {
    status: 410,
    description: 'The message expired before this answer; nobody waits for it, so finish the row.',
  },
  progress_conflict: {
    status: 409,
    description:
      'The progress does not continue what the platform has; go on from `expected_offset`, or stop if it is null.',
  },
  loop_detected: {
    status: 409,
    description:
      'The message would continue a loop of agents that call each other; answer without this call.',
  },
  question_not_found: {
    status: 404,
    description: 'The workspace asked no question with this id; list the questions.',
  },
  question_closed: {
    status: 409,
    description: 'The question is no longer open; its message may have ended.',
  },
  upload_too_large: {
    status: 413,
    description: 'A file is over 25 MiB or all are over 50 MiB; send smaller files.',
  },
  upload_not_found: { status: 404, description: 'No uploaded file has this path; upload it again.' },
  // delegations
  invalid_delegation: {
    status: 400,
    description: 'The delegation lacks a valid target_id or task; fix the body.',
  },
  self_delegation: {
    status: 400,
    description: 'A workspace cannot delegate to itself; choose another target.',
  },
  delegation_not_found: {
    status: 404,
    description: 'The workspace has no delegation with this id; check the id.',
  },
  delegation_finished: {
    status: 409,
    description: 'The delegation has already ended; it can no longer be cancelled.',
  },
  // secrets
  secret_not_found: { status: 404, description: 'No secret has this key; list the secrets.' },
  invalid_secret: { status: 400, description: 'A secret needs a non-empty key and value.' },
  secrets_undecryptable: {
    status: 500,
    description:
      'Some secrets cannot be decrypted, so none is returned; `failed_keys` names them, set them again.',
  },
  secrets_unavailable: { status: 503, description: 'The platform runs without an encryption key; set one.' },
  // plugins
  invalid_plugin_name: {
    status: 400,
    description: 'The plugin name is not allowed; use letters, digits, dot, dash.',
  },
  invalid_plugin_source: {
    status: 400,
    description: 'The plugin source cannot be read; see `available_schemes`.',
  },
  plugin_name_mismatch: {
    status: 400,
    description: 'The source contains a plugin of another name; see `resolved_name`.',
  },
  plugin_not_found: { status: 404, description: 'No such plugin at this source; check name and source.' },
  plugin_not_allowed: {
    status: 403,
    description: 'The plugin is not on the allowlist of the org; ask an operator.',
  },
  plugin_too_large: { status: 413, description: 'The plugin is over 100 MiB; make it smaller.' },
  unpinned_source: {
    status: 422,
    description: 'A github source needs #ref; pin it or allow unpinned sources.',
  },
  plugin_integrity_failed: {
    status: 422,
    description: 'The plugin does not match its declared hash; do not use it.',
  },
  invalid_plugin: {
    status: 422,
    description: 'The plugin has no readable manifest or contains forbidden entries.',
  },
  plugin_source_unavailable: {
    status: 502,
    also: [504],
    description: 'The plugin source did not respond; try later.',
  },
  // the platform itself
  platform_unavailable: {
    status: 503,
    description: 'The database of the platform is unavailable; retry shortly.',
  },
  shutting_down: { status: 503, description: 'The platform is shutting down; retry shortly.' },
  not_supported: { status: 501, description: 'This platform does not offer the function; see `hint`.' },
  internal_error: {
    status: 500,
    description: 'A defect of the platform; its log has the details under the request id.',
  },
  contract_violation: {
    status: 500,
    description: 'A request or response violates the contract of the platform; report it.',
  },
} as const satisfies Record<string, Entry>;

/** A code of the closed list. */
export type ErrorCode = keyof typeof ENTRIES;

/** Code → one sentence: the cause and what to do. */
export const ERROR_CODES = Object.fromEntries(
  Object.entries(ENTRIES).map(([code, entry]) => [code, entry.description]),
) as { readonly [Code in ErrorCode]: string };

/** All codes, in the order of the list. */
export const ERROR_CODE_LIST = Object.keys(ENTRIES) as [ErrorCode, ...ErrorCode[]];

/** The usual HTTP status of a code. */
export function errorStatus(code: ErrorCode): number {
  return ENTRIES[code].status;
}

/** True when the code may have that status; `agent_error` passes on any status of an agent from 300. */
export function errorMayHaveStatus(code: ErrorCode, status: number): boolean {
  const entry: Entry = ENTRIES[code];
  if (code === 'agent_error') return status >= 300;
  return entry.status === status || (entry.also?.includes(status) ?? false);
}

/** Narrows any value to a known code. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ENTRIES, value);
}
