import { type ReadBody, textOf } from './response-body.ts';

/** The message of a 401 when the client has no token: the platform responds alike to none and to a wrong one. */
const NO_TOKEN = 'No token was sent';
/** The message of a 403 `caller_mismatch`. */
const FOREIGN_TOKEN = 'This token belongs to another workspace: check workspaceId';

const NO_OPERATOR_KEY = 'No credential was sent: pass operatorKey (MOLECULE_OPERATOR_KEY, ADMIN_TOKEN).';
const GONE_PEER =
  'The peer does not exist any more, and no repeat helps: choose another one, getPeers() lists them.';
const GONE_WORKSPACE =
  'The workspace does not exist any more, and no repeat helps: listWorkspaces() lists the others.';
const IN_USE = "Stop the other one, wait for it to end, or take over with the option onConflict: 'takeover'.";
const CHECK_ORIGIN =
  'A gateway refused the request: check the Origin header (option origin; null sends none).';
const CHECK_ROUTING =
  'The response does not come from the platform: check platformUrl, Origin (option origin) and X-Molecule-Org-Id (option orgId).';

/** With which credential a request was sent, for people; nothing of it is the credential itself. */
export interface SentCredential {
  /** The workspace that the client is; `null` for an operator, whose credential has another option. */
  readonly workspaceId: string | null;
  /** Where the credential came from, such as `the variable MOLECULE_WORKSPACE_TOKEN`; `null` when none was sent. */
  readonly origin: string | null;
  /** Where credentials are stored; `null` where nothing is. */
  readonly storeName: string | null;
}
const PROXY_GAVE_UP =
  'A proxy in front of the platform gave up waiting: its time-out has to be longer than requests are held, which is 25 s by default.';
const PROXY_HAS_NO_PLATFORM =
  'A proxy in front of the platform wrote this response: it does not reach the platform, or is set up for another one.';

export interface FailureFacts {
  readonly status: number;
  readonly platformCode: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly bodyKind: ReadBody['kind'];
  readonly credential: SentCredential;
  /** Whether the platform wrote the body, and no peer. @default true */
  readonly isPlatformText?: boolean;
  /** The path of `platformUrl`; `''` for none. @default '' */
  readonly basePath?: string;
  /** Whether the request was a message to another workspace, which is what was removed. @default false */
  readonly isRemovedPeer?: boolean;
}

/**
 * One or two sentences on what to do: those of the platform if there are any, except that only the client knows which
 * option sets a missing credential or organisation.
 */
export function hintForResponse(facts: FailureFacts): string | undefined {
  const { status, platformCode, details, credential } = facts;
  const isOperator = credential.workspaceId === null;
  if (status === 401 && REFUSALS.has(platformCode)) return refusalHint(facts);
  if (platformCode === 'caller_mismatch' && !isOperator) return foreignTokenHint(credential);
  if (facts.isRemovedPeer === true) return isOperator ? GONE_WORKSPACE : GONE_PEER;
  if (platformCode === 'org_mismatch') return 'Set orgId (MOLECULE_ORG_ID) to the id of the organisation.';
  if (status === 404 && facts.basePath && (details?.error === undefined || platformCode === 'not_found')) {
    return `platformUrl has the path ${facts.basePath}: remove it, unless the platform is behind a proxy that serves it under this path.`;
  }
  if (platformCode === 'identity_in_use' && details?.superseded !== true) return IN_USE;
  const given = facts.isPlatformText === false ? undefined : textOf(details?.hint);
  if (given !== undefined) return given.slice(0, 300);
  if (platformCode === 'workspace_removed')
    return 'Create a new workspace and register it with its own token.';
  if (platformCode === 'inbox_full') return 'The target has to acknowledge messages before it accepts more.';
  switch (status) {
    case 402:
      return 'The target has spent its monthly budget: an operator can raise it.';
    case 403:
      return details === undefined ? CHECK_ORIGIN : accessHint(platformCode);
    case 404:
      return details?.error === undefined ? CHECK_ROUTING : undefined;
    case 410:
      return undefined;
    case 413:
      return 'Send less, or upload it as a file.';
    case 429:
      return 'Send fewer requests; wait for retryAfterMs if it is set.';
    case 502:
    case 503:
      return facts.bodyKind === 'json' ? undefined : PROXY_HAS_NO_PLATFORM;
    case 504:
      return facts.bodyKind === 'json' ? undefined : PROXY_GAVE_UP;
    default:
      return facts.bodyKind === 'html' ? CHECK_ROUTING : undefined;
  }
}

/** What the client itself finds about a refused token, which is more than the platform's sentence; `undefined` for other failures. */
export function findingAbout({
  status,
  platformCode,
  credential,
}: Pick<FailureFacts, 'status' | 'platformCode' | 'credential'>): string | undefined {
  if (credential.workspaceId === null) return undefined;
  if (platformCode === 'caller_mismatch') return FOREIGN_TOKEN;
  return status === 401 && credential.origin === null && REFUSALS.has(platformCode) ? NO_TOKEN : undefined;
}

/** Codes of a 401 about the credential of the request; older platforms send none. */
const REFUSALS: ReadonlySet<string | undefined> = new Set([
  undefined,
  'missing_credentials',
  'invalid_credentials',
]);

/** What the client sent, which only it knows: the platform answers each refused credential alike. */
function refusalHint({ credential, details, isPlatformText }: FailureFacts): string {
  const { origin, storeName, workspaceId } = credential;
  if (workspaceId === null) {
    if (origin === null) return NO_OPERATOR_KEY;
    const given = isPlatformText === false ? undefined : textOf(details?.hint)?.slice(0, 200);
    return `The refused operator key came from ${origin}. ${given ?? 'Compare it with that of the platform.'}`;
  }
  if (origin === null) {
    return `Set MOLECULE_WORKSPACE_TOKEN or the option authToken. None is stored in ${storeName}; register() stores one there for a workspace that never had a token.`;
  }
  if (/admin_?token$/i.test(origin)) {
    return `The refused operator key came from ${origin}: compare it with that of the platform, or set MOLECULE_WORKSPACE_TOKEN to a token of the workspace.`;
  }
  const place = /^the (?:option|variable) (\w+)$/.exec(origin)?.[1];
  const isKept = place === undefined ? ' and was kept' : '';
  return `The refused token came from ${origin}${isKept}. It is mistyped, was revoked or belongs to another workspace: get a new one from an operator and set ${place ?? 'MOLECULE_WORKSPACE_TOKEN'} to it.`;
}

function foreignTokenHint({ workspaceId, origin }: SentCredential): string {
  return `workspaceId is ${workspaceId}, and the token came from ${origin}. Correct the one that is wrong: both come from the same response of POST /workspaces.`;
}

function accessHint(platformCode: string | undefined): string {
  if (platformCode === 'forbidden') return 'This route needs an operator key.';
  return 'Only the same workspace, siblings, parent and child may communicate: go through the parent.';
}
