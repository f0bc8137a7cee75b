import { type ReadBody, textOf } from './response-body.ts';

const NO_TOKEN =
  'No token was sent: pass authToken (MOLECULE_WORKSPACE_TOKEN), or call register() if the workspace has no token yet.';
const NO_OPERATOR_KEY = 'No credential was sent: pass operatorKey (MOLECULE_OPERATOR_KEY, ADMIN_TOKEN).';
const BAD_TOKEN =
  'The token was revoked, rotated or belongs to another workspace. It was kept: get a new one from an operator and pass it as authToken.';
const GONE_PEER =
  'The peer does not exist any more, and no repeat helps: choose another one, getPeers() lists them.';
const GONE_WORKSPACE =
  'The workspace does not exist any more, and no repeat helps: listWorkspaces() lists the others.';
const CHECK_ORIGIN =
  'A gateway refused the request: check the Origin header (option origin; null sends none).';
const CHECK_ROUTING =
  'The response does not come from the platform: check platformUrl, Origin (option origin) and X-Molecule-Org-Id (option orgId).';

export interface FailureFacts {
  readonly status: number;
  readonly platformCode: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly bodyKind: ReadBody['kind'];
  readonly hadBearer: boolean;
  readonly isOperator: boolean;
  /** Whether the platform wrote the body, and no peer. @default true */
  readonly isPlatformText?: boolean;
  /** Whether the request was a message to another workspace, which is what was removed. @default false */
  readonly isRemovedPeer?: boolean;
}

/**
 * One or two sentences on what to do: those of the platform if there are any, except that only the client knows which
 * option sets a missing credential or organisation.
 */
export function hintForResponse(facts: FailureFacts): string | undefined {
  const { status, platformCode, details } = facts;
  if (status === 401 && !facts.hadBearer && platformCode !== 'workspace_removed')
    return facts.isOperator ? NO_OPERATOR_KEY : NO_TOKEN;
  if (facts.isRemovedPeer === true) return facts.isOperator ? GONE_WORKSPACE : GONE_PEER;
  if (platformCode === 'org_mismatch') return 'Set orgId (MOLECULE_ORG_ID) to the id of the organisation.';
  const given = facts.isPlatformText === false ? undefined : textOf(details?.hint);
  if (given !== undefined) return given.slice(0, 300);
  if (platformCode === 'workspace_removed')
    return 'Create a new workspace and register it with its own token.';
  if (platformCode === 'inbox_full') return 'The target has to acknowledge messages before it accepts more.';
  switch (status) {
    case 401:
      return BAD_TOKEN;
    case 402:
      return 'The target has spent its monthly budget: an operator can raise it.';
    case 403:
      return details === undefined ? CHECK_ORIGIN : accessHint(platformCode);
    case 404:
      return details === undefined ? CHECK_ROUTING : undefined;
    case 410:
      return undefined;
    case 413:
      return 'Send less, or upload it as a file.';
    case 429:
      return 'Send fewer requests; wait for retryAfterMs if it is set.';
    default:
      return facts.bodyKind === 'html' ? CHECK_ROUTING : undefined;
  }
}

function accessHint(platformCode: string | undefined): string {
  if (platformCode === 'caller_mismatch') return 'The token belongs to another workspace than workspaceId.';
  if (platformCode === 'forbidden') return 'This route needs an operator key.';
  return 'Only the same workspace, siblings, parent and child may communicate: go through the parent.';
}
