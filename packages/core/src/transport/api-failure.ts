import { AccessDeniedError } from '../errors/access-denied-error.ts';
import { ApiError, type ApiErrorOptions } from '../errors/api-error.ts';
import { redactSecrets } from '../errors/redact-secrets.ts';
import { WorkspaceRemovedError } from '../errors/workspace-removed-error.ts';
import { parseRetryAfter } from '../time/backoff.ts';
import { excerptOf, headerOf, objectOf, type ReadBody, readBody, textOf } from './answer-text.ts';
import { codeForStatus, isWorthRepeating } from './failure-codes.ts';
import { hintForAnswer } from './failure-hints.ts';
import type { HttpAnswer } from './http-exchange.ts';
import type { PlatformRequest } from './platform-request.ts';

/** What the mapping of a failure needs to know about its request. */
export interface FailedRequest {
  readonly request: PlatformRequest;
  /** The bearer that was sent, so that an answer that repeats it does not show it. */
  readonly bearer: string | undefined;
  readonly nowMs: number;
}

/** Makes the error of an answer outside 2xx. */
export function apiFailure(answer: HttpAnswer, failed: FailedRequest): ApiError {
  const { request } = failed;
  const { status } = answer;
  if (status < 400) {
    return headerOf(answer, 'location') === undefined
      ? unexpectedAnswer(request, answer, 'no success, no error and no redirect.')
      : redirectRefused(answer, request);
  }
  const body = readBody(answer);
  const details = body.kind === 'json' ? objectOf(body.value) : undefined;
  const platformCode = textOf(details?.code);
  const known = failed.bearer === undefined ? [] : [failed.bearer];
  const said = textOf(details?.error);
  const base: Omit<ApiErrorOptions, 'code'> = {
    ...whereOf(request, status),
    platformCode,
    body: redactSecrets(excerptOf(answer), known),
    details,
    hint: hintForAnswer({
      status,
      platformCode,
      details,
      bodyKind: body.kind,
      hadBearer: failed.bearer !== undefined,
    }),
    isRetryable: isWorthRepeating(status, platformCode, details),
    retryAfterMs: retryAfterOf(answer, details, failed.nowMs),
  };
  const message = `${request.method} ${request.path.split('?', 1)[0]} answered ${status}${said === undefined ? '' : `: ${redactSecrets(said.slice(0, 300), known)}`}`;
  if (isRemoval(status, details, request)) {
    return new WorkspaceRemovedError(message, {
      ...base,
      isRetryable: false,
      workspaceId: textOf(details?.id) ?? textOf(details?.workspace_id) ?? request.goneWorkspaceId,
      removedAt: textOf(details?.removed_at),
    });
  }
  if (status === 403) return new AccessDeniedError(message, base);
  const isRouting = status === 404 && (details === undefined || platformCode === 'org_mismatch');
  return new ApiError(message, {
    ...base,
    code: isRouting ? 'routing_problem' : codeForStatus(status, platformCode),
  });
}

/** Makes the error of a 2xx answer that is too large or not what the route promises. */
export function unexpectedAnswer(request: PlatformRequest, answer: HttpAnswer, problem: string): ApiError {
  const kind: ReadBody['kind'] = answer.isTooLarge ? 'other' : readBody(answer).kind;
  return new ApiError(`${request.method} ${request.path} answered ${answer.status}: ${problem}`, {
    ...whereOf(request, answer.status),
    code: answer.isTooLarge ? 'response_too_large' : 'unexpected_response',
    body: answer.isTooLarge ? '' : excerptOf(answer),
    hint:
      kind === 'html'
        ? 'A web page answered: check platformUrl, and Origin and X-Molecule-Org-Id behind a gateway.'
        : undefined,
  });
}

function redirectRefused(answer: HttpAnswer, request: PlatformRequest): ApiError {
  const location = headerOf(answer, 'location') ?? '';
  const target = URL.canParse(location) ? new URL(location).origin : 'another path of the same host';
  return new ApiError(
    `${request.method} ${request.path} answered ${answer.status}, a redirect to ${target}.`,
    {
      ...whereOf(request, answer.status),
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
  answer: HttpAnswer,
  details: Readonly<Record<string, unknown>> | undefined,
  nowMs: number,
): number | undefined {
  const header = headerOf(answer, 'retry-after');
  if (header !== undefined) return parseRetryAfter(header, nowMs);
  const seconds = details?.retry_after;
  return typeof seconds === 'number' ? parseRetryAfter(String(seconds), nowMs) : undefined;
}

function whereOf(request: PlatformRequest, status: number): { status: number; method: string; path: string } {
  return { status, method: request.method, path: request.path };
}
