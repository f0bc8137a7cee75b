import type { ReadBody } from './answer-text.ts';
import { textOf } from './answer-text.ts';

const NO_TOKEN = 'No token was sent: call register(), or pass authToken (MOLECULE_WORKSPACE_TOKEN).';
const BAD_TOKEN =
  'The token was revoked, rotated or belongs to another workspace. It was kept: ask an operator for a new one and pass it as authToken.';
const CHECK_ORIGIN =
  'Something in front of the platform refused it: check the Origin header (option origin; null sends none).';
const CHECK_ROUTING =
  "This is not the platform's own answer: check platformUrl, Origin (option origin) and X-Molecule-Org-Id (option orgId).";

/** What is known about an answer outside 2xx. */
export interface FailureFacts {
  readonly status: number;
  readonly platformCode: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly bodyKind: ReadBody['kind'];
  readonly hadBearer: boolean;
}

/** One or two sentences on what to do; the platform's own hint when it gave one. */
export function hintForAnswer(facts: FailureFacts): string | undefined {
  const { status, platformCode, details } = facts;
  const given = textOf(details?.hint);
  if (given !== undefined) return given.slice(0, 300);
  if (platformCode === 'workspace_removed')
    return 'Create a new workspace and register it with its own token.';
  if (platformCode === 'org_mismatch') return 'Set orgId (MOLECULE_ORG_ID) to the id of the organisation.';
  if (platformCode === 'inbox_full') return 'The target has to acknowledge messages before it takes more.';
  switch (status) {
    case 401:
      return facts.hadBearer ? BAD_TOKEN : NO_TOKEN;
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
      return 'Slow down: wait for retryAfterMs when it is set.';
    default:
      return facts.bodyKind === 'html' ? CHECK_ROUTING : undefined;
  }
}

function accessHint(platformCode: string | undefined): string {
  if (platformCode === 'caller_mismatch') return 'The token belongs to another workspace than workspaceId.';
  if (platformCode === 'forbidden') return 'This route needs an operator key.';
  return 'Only the same workspace, siblings, parent and child may communicate: go through the parent.';
}
