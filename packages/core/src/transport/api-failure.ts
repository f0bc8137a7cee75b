import {
  CAPABILITIES_HEADER,
  ERROR_CODES,
  errorBodyOf,
  isErrorCode,
  PEER_BOUNDARY_START,
} from '@molecule-ai/protocol';
import { AccessDeniedError } from '../errors/access-denied-error.ts';
import { ApiError, type ApiErrorOptions } from '../errors/api-error.ts';
import type { MoleculeErrorCode } from '../errors/error-codes.ts';
import { redactSecrets } from '../errors/redact-secrets.ts';
import { WorkspaceRemovedError } from '../errors/workspace-removed-error.ts';
import { parseRetryAfter } from '../time/backoff.ts';
import type { HttpResponse } from './http-exchange.ts';
import type { PlatformRequest } from './platform-request.ts';
import { excerptOf, headerOf, objectOf, type ReadBody, readBody, textOf } from './response-body.ts';
import { findingAbout, hintForResponse, type SentCredential } from './response-hint.ts';

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
export interface FailedRequest {
  readonly request: PlatformRequest;
  /** The bearer that was sent; redacted from the response. */
  readonly bearer: string | undefined;
  readonly credential: SentCredential;
  /** The path of `platformUrl`, which every request begins with; `''` for none. */
  readonly basePath: string;
  readonly nowMs: number;
}

/** Creates the error for a response outside 2xx. */
export function apiFailure(response: HttpResponse, failed: FailedRequest): ApiError {
  const { request } = failed;
  const { status } = response;
  if (status < 400) {
    return headerOf(response, 'location') === undefined
      ? unexpectedResponse(request, response, 'neither a success nor an error nor a redirect.')
      : redirectRefused(response, request);
  }
  const body = readBody(response);
  const details = body.kind === 'json' ? objectOf(errorBodyOf(body.value)) : undefined;
  const platformCode = textOf(details?.code);
  const known = failed.bearer === undefined ? [] : [failed.bearer];
  const isPlatformText = isWrittenByPlatform(request, response);
  const isRemoved = isRemoval(status, details, request);
  const written = isPlatformText ? textOf(details?.error) : meaningOf(platformCode);
  const description = findingAbout({ status, platformCode, credential: failed.credential }) ?? written;
  const base: Omit<ApiErrorOptions, 'code'> = {
    ...whereOf(request, status),
    platformCode: isPlatformText || isErrorCode(platformCode) ? platformCode : undefined,
    body: isPlatformText ? redactSecrets(excerptOf(response), known) : '',
    details,
    isWebPage: body.kind === 'html',
    hint: hintForResponse({
      status,
      platformCode,
      details,
      bodyKind: body.kind,
      credential: failed.credential,
      isPlatformText,
      basePath: failed.basePath,
      // A 401 is about the token of the sender.
      isRemovedPeer:
        isRemoved &&
        status !== 401 &&
        request.relaysPeerText === true &&
        request.goneWorkspaceId !== undefined,
    }),
    isRetryable: isWorthRepeating(status, platformCode, details),
    retryAfterMs: retryAfterOf(response, details, failed.nowMs),
  };
  const shown = description === undefined ? undefined : redactSecrets(description.slice(0, 300), known);
  // A model reads it, to which a request line says nothing.
  if (platformCode === 'loop_detected') {
    return new ApiError(sentenceOf(shown ?? ERROR_CODES.loop_detected), { ...base, code: 'loop_detected' });
  }
  const path = failed.basePath + request.path.split('?', 1)[0];
  const message = `${request.method} ${path} returned ${status}${shown === undefined ? '' : `: ${shown}`}`;
  if (isRemoved) {
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
  return new ApiError(message, {
    ...base,
    code: isRouting ? 'routing_problem' : codeForStatus(status, platformCode),
  });
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

function meaningOf(platformCode: string | undefined): string | undefined {
  return isErrorCode(platformCode) ? ERROR_CODES[platformCode] : undefined;
}

/** Creates the error for a response that is too large or has an unexpected status or body. */
export function unexpectedResponse(
  request: PlatformRequest,
  response: HttpResponse,
  problem: string,
): ApiError {
  const kind: ReadBody['kind'] = response.isTooLarge ? 'other' : readBody(response).kind;
  return new ApiError(`${request.method} ${request.path} returned ${response.status}: ${problem}`, {
    ...whereOf(request, response.status),
    code: response.isTooLarge ? 'response_too_large' : 'unexpected_response',
    body: response.isTooLarge || request.relaysPeerText === true ? '' : excerptOf(response),
    isWebPage: kind === 'html',
    hint:
      kind === 'html'
        ? 'The response is a web page: check platformUrl, and Origin and X-Molecule-Org-Id behind a gateway.'
        : undefined,
  });
}

function redirectRefused(response: HttpResponse, request: PlatformRequest): ApiError {
  const location = headerOf(response, 'location') ?? '';
  const target = URL.canParse(location) ? new URL(location).origin : 'another path of the same host';
  return new ApiError(
    `${request.method} ${request.path} returned ${response.status}, a redirect to ${target}.`,
    {
      ...whereOf(request, response.status),
      code: 'redirect_refused',
      hint: 'Redirects are never followed, so that the token cannot leave the platform: set platformUrl to the final address.',
    },
  );
}

function isRemoval(
  status: number,
  details: Readonly<Record<string, unknown>> | undefined,
  request: PlatformRequest,
): boolean {
  if (details?.code === 'workspace_removed') return true;
  if (status === 404 && request.goneWorkspaceId !== undefined) return details?.deleted === true;
  if (status !== 410) return false;
  if (request.goneWorkspaceId !== undefined && details?.code === undefined) return true;
  return details !== undefined && ('removed_at' in details || details.deleted === true);
}

function retryAfterOf(
  response: HttpResponse,
  details: Readonly<Record<string, unknown>> | undefined,
  nowMs: number,
): number | undefined {
  const header = headerOf(response, 'retry-after');
  if (header !== undefined) return parseRetryAfter(header, nowMs);
  const seconds = details?.retry_after;
  return typeof seconds === 'number' ? parseRetryAfter(String(seconds), nowMs) : undefined;
}

function whereOf(request: PlatformRequest, status: number): { status: number; method: string; path: string } {
  return { status, method: request.method, path: request.path };
}

/** Codes of the platform that are those of the client. */
const OWN_CODES = ['inbox_full', 'message_expired', 'quota_exceeded'] as const;

function isOwnCode(code: string): code is (typeof OWN_CODES)[number] {
  return OWN_CODES.some((own) => own === code);
}

/** The error code for a response outside 2xx. */
export function codeForStatus(status: number, platformCode: string | undefined): MoleculeErrorCode {
  if (platformCode !== undefined && isOwnCode(platformCode)) return platformCode;
  // A 404, as the published platform has it.
  if (platformCode === 'already_paused' || platformCode === 'not_paused') return 'conflict';
  return BY_STATUS[status] ?? (status >= 500 ? 'platform_error' : 'request_rejected');
}

/** Whether a retry can succeed: 429, 502, 503, 504, unless the body says otherwise. */
export function isWorthRepeating(
  status: number,
  platformCode: string | undefined,
  details: Readonly<Record<string, unknown>> | undefined,
): boolean {
  if (status !== 429 && status !== 502 && status !== 503 && status !== 504) return false;
  // The agent has run: with the same message id the platform only repeats this response.
  if (details?.delivered === true || details?.delivery_confirmed === true) return false;
  return !isFailedDelivery(details) && (platformCode === undefined || !FINAL_CODES.has(platformCode));
}

/**
 * Whether the response of a held call reports that the delivery of its message has failed for good. Only such an error
 * names the stored message.
 */
export function isFailedDelivery(details: Readonly<Record<string, unknown>> | undefined): boolean {
  return textOf(details?.queue_id) !== undefined && textOf(details?.message_id) !== undefined;
}

/** Creates the error for a 2xx response whose body does not match the route. */
export function shapeError(
  request: Pick<PlatformRequest, 'method' | 'path'>,
  status: number,
  problem: string,
): ApiError {
  return new ApiError(
    `${request.method} ${request.path} returned ${status} with an unexpected shape: ${problem}.`,
    {
      code: 'unexpected_response',
      status,
      method: request.method,
      path: request.path,
      hint: 'Check that platformUrl is a Molecule platform and that its version is supported.',
    },
  );
}
