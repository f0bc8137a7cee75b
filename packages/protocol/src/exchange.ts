import type { z } from 'zod';
import { ErrorBody, errorBodyOf } from './error-body.ts';
import { errorMayHaveStatus, isErrorCode } from './error-codes.ts';
import { A2aRequest, JsonRpcError } from './message.ts';
import { isJsonObject } from './open-json.ts';
import type { RawBody, Route } from './routes/route.ts';
import { findRoute } from './routes/table.ts';
import type { Wire } from './wire.ts';

/** One HTTP request and its response as seen on the wire; JSON bodies parsed, other bodies as text. */
export interface Exchange {
  readonly method: string;
  /** The path without or with its query string. */
  readonly path: string;
  readonly query?: { readonly [key: string]: string | readonly string[] | undefined } | undefined;
  readonly requestBody?: unknown;
  readonly status: number;
  readonly responseBody?: unknown;
  /** Names in lower case. */
  readonly responseHeaders?: { readonly [name: string]: string | readonly string[] | number | undefined };
  /** `responses` does not check the request, for clients that are not ours. */
  readonly mode: 'all' | 'responses';
}

/**
 * Checks one exchange against the contract and returns its violations as sentences, empty when there is none: an
 * unknown route with another status than 404 or 405, an undeclared status, a response that does not have the strict
 * shape of its status, an error that is not a strict `ErrorBody` with a known code, and (mode `all`) an accepted
 * request that is not strict.
 */
export function checkExchange(exchange: Exchange): string[] {
  const method = exchange.method.toUpperCase();
  if (method === 'OPTIONS') return [];
  const found = findRoute(method === 'HEAD' ? 'GET' : method, exchange.path);
  const where = `${method} ${pathOnly(exchange.path)} → ${exchange.status}`;
  const problems =
    found === undefined ? checkUnknownRoute(exchange) : checkKnownRoute(exchange, found, method === 'HEAD');
  return problems.map((problem) => `${where}: ${problem}`);
}

function pathOnly(path: string): string {
  const end = path.search(/[?#]/);
  return end === -1 ? path : path.slice(0, end);
}

function checkUnknownRoute({ status, responseBody, responseHeaders }: Exchange): string[] {
  if (status === 404 || status === 405) return checkError(status, responseBody);
  const type = String(responseHeaders?.['content-type'] ?? '');
  // The canvas is a set of files beside the routes.
  if (type !== '' && !type.includes('json') && status < 400) return [];
  return ['no such route, so the status must be 404 or 405'];
}

function checkKnownRoute(exchange: Exchange, route: Route, headOnly: boolean): string[] {
  const { status, responseBody } = exchange;
  const declared = route.responses[status];
  if (declared === undefined) {
    if (status < 300) return [`${route.name} does not declare this status`];
    if (headOnly) return [];
    return checkError(status, responseBody, route);
  }
  const problems = headOnly ? [] : checkResponse(declared, responseBody);
  if (exchange.mode === 'responses' || status >= 300) return problems;
  if (route.request !== undefined && !('media' in route.request)) {
    problems.push(...violations('accepted body', route.request, exchange.requestBody || {}));
  }
  const query = Object.fromEntries(
    Object.entries(exchange.query ?? {}).filter(([, value]) => value !== undefined),
  );
  if (route.query !== undefined) problems.push(...violations('accepted query', route.query, query));
  else if (Object.keys(query).length > 0) problems.push('accepted query: the route declares none');
  return problems;
}

function checkResponse(declared: Wire | RawBody, body: unknown): string[] {
  if (!('media' in declared)) return violations('response', declared, body);
  const empty = body === undefined || body === null || body === '';
  return declared.media === '' && !empty ? ['response: the body must be empty'] : [];
}

/** Callers of an A2A route that speak JSON-RPC get the error in its form. */
function checkError(status: number, given: unknown, route?: Route): string[] {
  const isFramed = route?.request === A2aRequest && isJsonObject(given) && given.jsonrpc !== undefined;
  const body = isFramed ? errorBodyOf(given) : given;
  const problems = violations('error', ErrorBody, body);
  if (isFramed) problems.push(...violations('error', JsonRpcError, given.error));
  const code = typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
  if (!isErrorCode(code)) return [...problems, `error: code ${JSON.stringify(code)} is not in ERROR_CODES`];
  if (!errorMayHaveStatus(code, status)) problems.push(`error: code ${code} does not have this status`);
  if (route !== undefined && !UNDECLARED_CODES.has(code) && !route.errors.includes(code)) {
    problems.push(`error: ${route.name} does not declare the code ${code}`);
  }
  return problems;
}

/** Codes that no route declares, because they are returned before a route is chosen. */
const UNDECLARED_CODES: ReadonlySet<string> = new Set(['not_found', 'method_not_allowed']);

function violations(what: string, wire: Wire, value: unknown): string[] {
  const result = wire.strict.safeParse(value);
  return result.success ? [] : result.error.issues.map((issue) => `${what}: ${wire.name} ${describe(issue)}`);
}

function describe(issue: z.core.$ZodIssue): string {
  const at = issue.path.length > 0 ? issue.path.join('.') : 'itself';
  return `at ${at}: ${issue.message}`;
}
