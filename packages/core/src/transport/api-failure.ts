import {
  CAPABILITIES_HEADER,
  ERROR_CODES,
  errorBodyOf,
  isErrorCode,
  PEER_BOUNDARY_START,
} from '@molecule-ai/protocol';
import {
  AccessDeniedError,
  ApiError,
  type ApiErrorOptions,
  WorkspaceRemovedError,
} from '../errors/api-error.ts';
import type { MoleculeErrorCode } from '../errors/error-codes.ts';
import { redactSecrets } from '../errors/redact-secrets.ts';
import { parseRetryAfter } from '../time/backoff.ts';
import {
  excerptOf,
  type HttpResponse,
  headerOf,
  objectOf,
  type ReadBody,
  readBody,
  textOf,
} from './http-response.ts';
import type { PlatformRequest } from './platform-request.ts';

const BY_STATUS: Readonly<Record<number, MoleculeErrorCode>> = {
  401: 'unauthorized',
  402: 'budget_exceeded',
  403: 'access_denied',
  404: 'not_found',
  409: 'conflict',
  410: 'not_found',
  413: 'payload_too_large',
  429: 'rate_limited',
  502: 'platform_unavailable',
  503: 'platform_unavailable',
  504: 'platform_unavailable',
};
/** The codes of the platform that say more than the status. The pause is a 404, as the published platform has it. */
const BY_CODE: ReadonlyMap<string | undefined, MoleculeErrorCode> = new Map([
  ['inbox_full', 'inbox_full'],
  ['message_expired', 'message_expired'],
  ['quota_exceeded', 'quota_exceeded'],
  ['already_paused', 'conflict'],
  ['not_paused', 'conflict'],
]);
/** Platform codes for which a retry does not help, although their status suggests it. */
const FINAL_CODES: ReadonlySet<string> = new Set([
  'token_limit',
  'quota_exceeded',
  'org_key_limit',
  'unsafe_url',
  'agent_answer_invalid',
  'agent_answer_too_large',
  'secrets_unavailable',
  // A peer that is away. Messages for it are stored.
  'workspace_unavailable',
]);

/** A request that failed, and with which credential it was sent, for people; no hint shows the credential itself. */
interface FailedRequest {
  readonly request: PlatformRequest;
  /** The bearer that was sent; redacted from the response. */
  readonly bearer: string | undefined;
  /** The workspace that the client is; `null` for an operator, whose credential has another option. */
  readonly workspaceId: string | null;
  /** Where the credential came from, such as `the variable MOLECULE_WORKSPACE_TOKEN`; `null` when none was sent. */
  readonly origin: string | null;
  /** Where credentials are stored; `null` where nothing is. */
  readonly storeName: string | null;
  /** The path of `platformUrl`, which every request begins with; `''` for none. */
  readonly basePath: string;
}

type Details = Readonly<Record<string, unknown>> | undefined;

/** What a response outside 2xx says. */
interface Failure extends FailedRequest {
  readonly status: number;
  readonly bodyKind: ReadBody['kind'];
  readonly details: Details;
  readonly platformCode: string | undefined;
  /** Whether the platform wrote the body, and no peer. */
  readonly isPlatformText: boolean;
  readonly isRemoval: boolean;
}

/** Creates the error for a response outside 2xx. */
export function apiFailure(response: HttpResponse, failed: FailedRequest, nowMs: number): ApiError {
  const { request, bearer, basePath } = failed;
  const { status } = response;
  if (status < 400) {
    return headerOf(response, 'location') === undefined
      ? unexpectedResponse(request, response, 'neither a success nor an error nor a redirect.')
      : redirectRefused(response, request);
  }
  const body = readBody(response);
  const details = body.kind === 'json' ? objectOf(errorBodyOf(body.value)) : undefined;
  const platformCode = textOf(details?.code);
  const isPlatformText = isWrittenByPlatform(request, response);
  const failure: Failure = {
    ...failed,
    status,
    bodyKind: body.kind,
    details,
    platformCode,
    isPlatformText,
    isRemoval: isRemoval(status, details, request),
  };
  const known = bearer === undefined ? [] : [bearer];
  const meaning = isErrorCode(platformCode) ? ERROR_CODES[platformCode] : undefined;
  const description = findingAbout(failure) ?? (isPlatformText ? textOf(details?.error) : meaning);
  const base: Omit<ApiErrorOptions, 'code'> = {
    status,
    method: request.method,
    path: request.path,
    platformCode: isPlatformText || meaning !== undefined ? platformCode : undefined,
    body: isPlatformText ? redactSecrets(excerptOf(response), known) : '',
    details,
    isWebPage: body.kind === 'html',
    hint: hintFor(failure),
    isRetryable: isWorthRepeating(failure),
    retryAfterMs: retryAfterOf(response, details, nowMs),
  };
  const shown = description === undefined ? undefined : redactSecrets(description.slice(0, 300), known);
  // A model reads it, to which a request line says nothing.
  if (platformCode === 'loop_detected') {
    return new ApiError(sentenceOf(shown ?? ERROR_CODES.loop_detected), { ...base, code: 'loop_detected' });
  }
  const path = basePath + request.path.split('?', 1)[0];
  const message = `${request.method} ${path} returned ${status}${shown === undefined ? '' : `: ${shown}`}`;
  if (failure.isRemoval) {
    return new WorkspaceRemovedError(message, {
      ...base,
      isRetryable: false,
      workspaceId: textOf(details?.id) ?? textOf(details?.workspace_id) ?? request.goneWorkspaceId,
      removedAt: textOf(details?.removed_at),
    });
  }
  if (status === 403) return new AccessDeniedError(message, base);
  const isRouting =
    platformCode === 'org_mismatch' || (details === undefined && isOfAnotherServer(status, body.kind));
  const code = isRouting ? 'routing_problem' : codeForStatus(status, platformCode);
  return new ApiError(message, { ...base, code });
}

/** Whether an error without a JSON body comes from a server that has no such route. The platform writes no web pages. */
function isOfAnotherServer(status: number, kind: ReadBody['kind']): boolean {
  if (status === 404) return true;
  return kind === 'html' && (status === 501 || (status < 500 && BY_STATUS[status] === undefined));
}

/**
 * Whether the texts of an error may be shown. A route that relays what a peer says may relay its errors too, which are
 * untrusted and must not get into a log or a prompt through an error's message. Our own platform, which its
 * capabilities show, writes its errors itself.
 */
function isWrittenByPlatform(request: PlatformRequest, response: HttpResponse): boolean {
  if (request.relaysPeerText !== true) return true;
  if (headerOf(response, CAPABILITIES_HEADER) === undefined) return false;
  return !response.body.includes(PEER_BOUNDARY_START);
}

function sentenceOf(text: string): string {
  const sentence = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** Creates the error for a response that is too large or has an unexpected status or body. */
export function unexpectedResponse(
  request: PlatformRequest,
  response: HttpResponse,
  problem: string,
): ApiError {
  const isWebPage = !response.isTooLarge && readBody(response).kind === 'html';
  return errorOf(request, response.status, `: ${problem}`, {
    code: response.isTooLarge ? 'response_too_large' : 'unexpected_response',
    body: response.isTooLarge || request.relaysPeerText === true ? '' : excerptOf(response),
    isWebPage,
    hint: isWebPage
      ? 'The response is a web page: check platformUrl, and Origin and X-Molecule-Org-Id behind a gateway.'
      : undefined,
  });
}

function redirectRefused(response: HttpResponse, request: PlatformRequest): ApiError {
  const location = headerOf(response, 'location') ?? '';
  const target = URL.canParse(location) ? new URL(location).origin : 'another path of the same host';
  return errorOf(request, response.status, `, a redirect to ${target}.`, {
    code: 'redirect_refused',
    hint: 'Redirects are never followed, so that the token cannot leave the platform: set platformUrl to the final address.',
  });
}

function isRemoval(status: number, details: Details, request: PlatformRequest): boolean {
  if (details?.code === 'workspace_removed') return true;
  if (status === 404 && request.goneWorkspaceId !== undefined) return details?.deleted === true;
  if (status !== 410) return false;
  if (request.goneWorkspaceId !== undefined && details?.code === undefined) return true;
  return details !== undefined && ('removed_at' in details || details.deleted === true);
}

function retryAfterOf(response: HttpResponse, details: Details, nowMs: number): number | undefined {
  const header = headerOf(response, 'retry-after');
  if (header !== undefined) return parseRetryAfter(header, nowMs);
  const seconds = details?.retry_after;
  return typeof seconds === 'number' ? parseRetryAfter(String(seconds), nowMs) : undefined;
}

/** The error code for a response outside 2xx. */
export function codeForStatus(status: number, platformCode: string | undefined): MoleculeErrorCode {
  const fallback = status >= 500 ? 'platform_error' : 'request_rejected';
  return BY_CODE.get(platformCode) ?? BY_STATUS[status] ?? fallback;
}

/** Whether a retry can succeed: 429, 502, 503, 504, unless the body says otherwise. */
function isWorthRepeating({ status, platformCode, details }: Failure): boolean {
  if (status !== 429 && status !== 502 && status !== 503 && status !== 504) return false;
  // The agent has run: with the same message id the platform only repeats this response.
  if (details?.delivered === true || details?.delivery_confirmed === true) return false;
  return !isFailedDelivery(details) && (platformCode === undefined || !FINAL_CODES.has(platformCode));
}

/**
 * Whether the response of a held call reports that the delivery of its message has failed for good. Only such an error
 * names the stored message.
 */
export function isFailedDelivery(details: Details): boolean {
  return textOf(details?.queue_id) !== undefined && textOf(details?.message_id) !== undefined;
}

/** Creates the error for a 2xx response whose body does not match the route. */
export function shapeError(
  request: Pick<PlatformRequest, 'method' | 'path'>,
  status: number,
  problem: string,
): ApiError {
  return errorOf(request, status, ` with an unexpected shape: ${problem}.`, {
    code: 'unexpected_response',
    hint: 'Check that platformUrl is a Molecule platform and that its version is supported.',
  });
}

function errorOf(
  { method, path }: Pick<PlatformRequest, 'method' | 'path'>,
  status: number,
  problem: string,
  options: Omit<ApiErrorOptions, 'status' | 'method' | 'path'>,
): ApiError {
  return new ApiError(`${method} ${path} returned ${status}${problem}`, { ...options, status, method, path });
}

const GONE_PEER =
  'The peer does not exist any more, and no repeat helps: choose another one, getPeers() lists them.';
const GONE_WORKSPACE =
  'The workspace does not exist any more, and no repeat helps: listWorkspaces() lists the others.';
const IN_USE = "Stop the other one, wait for it to end, or take over with the option onConflict: 'takeover'.";
const CHECK_ORIGIN =
  'A gateway refused the request: check the Origin header (option origin; null sends none).';
const CHECK_ROUTING =
  'The response does not come from the platform: check platformUrl, Origin (option origin) and X-Molecule-Org-Id (option orgId).';
const PROXY_HAS_NO_PLATFORM =
  'A proxy in front of the platform wrote this response: it does not reach the platform, or is set up for another one.';

const HINTS_BY_CODE: ReadonlyMap<string | undefined, string> = new Map([
  ['workspace_removed', 'Create a new workspace and register it with its own token.'],
  ['inbox_full', 'The target has to acknowledge messages before it accepts more.'],
]);
const HINTS_BY_STATUS: Readonly<Record<number, string>> = {
  402: 'The target has spent its monthly budget: an operator can raise it.',
  413: 'Send less, or the address of a file.',
  429: 'Send fewer requests; wait for retryAfterMs if it is set.',
};
/** For a body that is not JSON. */
const HINTS_OF_PROXIES: Readonly<Record<number, string>> = {
  502: PROXY_HAS_NO_PLATFORM,
  503: PROXY_HAS_NO_PLATFORM,
  504: 'A proxy in front of the platform gave up waiting: its time-out has to be longer than requests are held, which is 25 s by default.',
};

/**
 * One or two sentences on what to do: those of the platform if there are any, except that only the client knows which
 * option sets a missing credential or organisation.
 */
function hintFor(failure: Failure): string | undefined {
  const { request, status, platformCode, details, basePath, workspaceId } = failure;
  const isOperator = workspaceId === null;
  if (status === 401 && REFUSALS.has(platformCode)) return refusalHint(failure);
  if (platformCode === 'caller_mismatch' && !isOperator) {
    return `workspaceId is ${workspaceId}, and the token came from ${failure.origin}. Correct the one that is wrong: both come from the same response of POST /workspaces.`;
  }
  // A 401 is about the token of the sender.
  const isOfTarget =
    status !== 401 && request.relaysPeerText === true && request.goneWorkspaceId !== undefined;
  if (failure.isRemoval && isOfTarget) return isOperator ? GONE_WORKSPACE : GONE_PEER;
  if (platformCode === 'org_mismatch') return 'Set orgId (MOLECULE_ORG_ID) to the id of the organisation.';
  if (status === 404 && basePath !== '' && (details?.error === undefined || platformCode === 'not_found')) {
    return `platformUrl has the path ${basePath}: remove it, unless the platform is behind a proxy that serves it under this path.`;
  }
  if (platformCode === 'identity_in_use' && details?.superseded !== true) return IN_USE;
  return givenHint(failure, 300) ?? HINTS_BY_CODE.get(platformCode) ?? hintForStatus(failure);
}

/** What the platform suggests. */
function givenHint({ isPlatformText, details }: Failure, length: number): string | undefined {
  return isPlatformText ? textOf(details?.hint)?.slice(0, length) : undefined;
}

function hintForStatus({ status, platformCode, details, bodyKind }: Failure): string | undefined {
  if (status === 403 && details === undefined) return CHECK_ORIGIN;
  if (status === 403) {
    return platformCode === 'forbidden'
      ? 'This route needs an operator key.'
      : 'Only the same workspace, siblings, parent and child may communicate: go through the parent.';
  }
  if (status === 404) return details?.error === undefined ? CHECK_ROUTING : undefined;
  const ofProxy = bodyKind === 'json' ? undefined : HINTS_OF_PROXIES[status];
  const isWebPage = bodyKind === 'html' && status !== 410;
  return HINTS_BY_STATUS[status] ?? ofProxy ?? (isWebPage ? CHECK_ROUTING : undefined);
}

/** What the client itself finds about a refused token, which is more than the platform's sentence; `undefined` for other failures. */
function findingAbout({ status, platformCode, workspaceId, origin }: Failure): string | undefined {
  if (workspaceId === null) return undefined;
  if (platformCode === 'caller_mismatch') return 'This token belongs to another workspace: check workspaceId';
  // The platform responds alike to no token and to a wrong one.
  return status === 401 && origin === null && REFUSALS.has(platformCode) ? 'No token was sent' : undefined;
}

/** Codes of a 401 about the credential of the request; older platforms send none. */
const REFUSALS: ReadonlySet<string | undefined> = new Set([
  undefined,
  'missing_credentials',
  'invalid_credentials',
]);

/** What the client sent, which only it knows: the platform answers each refused credential alike. */
function refusalHint(failure: Failure): string {
  const { origin, storeName, workspaceId } = failure;
  if (workspaceId === null) {
    if (origin === null)
      return 'No credential was sent: pass operatorKey (MOLECULE_OPERATOR_KEY, ADMIN_TOKEN).';
    const given = givenHint(failure, 200) ?? 'Compare it with that of the platform.';
    return `The refused operator key came from ${origin}. ${given}`;
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
