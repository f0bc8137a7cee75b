import type { MoleculeErrorCode } from '../errors/error-codes.ts';

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

/** Platform codes that say the same thing again however often one asks, although their status suggests otherwise. */
const FINAL_CODES: ReadonlySet<string> = new Set([
  'token_limit',
  'org_key_limit',
  'unsafe_url',
  'agent_answer_invalid',
  'agent_answer_too_large',
  'secrets_unavailable',
]);

/** Our code for an answer outside 2xx. */
export function codeForStatus(status: number, platformCode: string | undefined): MoleculeErrorCode {
  if (platformCode === 'inbox_full') return 'inbox_full';
  return BY_STATUS[status] ?? (status >= 500 ? 'platform_error' : 'request_rejected');
}

/** Whether the same request can succeed later: 429, 502, 503, 504, unless the body says it is final (decision 18). */
export function isWorthRepeating(
  status: number,
  platformCode: string | undefined,
  details: Readonly<Record<string, unknown>> | undefined,
): boolean {
  if (status !== 429 && status !== 502 && status !== 503 && status !== 504) return false;
  if (details?.delivery_confirmed === true) return false;
  return platformCode === undefined || !FINAL_CODES.has(platformCode);
}
