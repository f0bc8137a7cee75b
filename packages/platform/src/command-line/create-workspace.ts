import { realpathSync } from 'node:fs';
import { CreateWorkspaceResponse, ERROR_CODES, isErrorCode, PlatformFacts } from '@molecule-ai/protocol';
import { errorFacts } from '../foreign-error.ts';
import { printable } from '../foreign-text.ts';
import type { Environment } from '../options/option-reader.ts';
import { IN_MEMORY } from '../options/options-schema.ts';
import { resolveDataDirectory } from '../options/resolve-settings.ts';
import { CommandError, WRONG_OPTIONS } from './command-error.ts';
import type { Output } from './output.ts';
import type { CreateWorkspaceCommand } from './platform-command.ts';

const DEFAULT_URL = 'http://localhost:8080';
const TIMEOUT_MS = 30_000;
/**
 * What needs no quotes in an env file, and has no meaning of its own in a shell that reads it. A shell replaces `~` at the
 * beginning and after a colon.
 */
const PLAIN_VALUE = /^(?!~)(?!.*:~)[\w.:/[\]%~@+-]+$/;
/** After these the request may have reached the platform. */
const CONNECTION_LOST = /^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_(?:HEADERS|BODY)_TIMEOUT)$/;
/** What a header transports unchanged. */
const HEADER_VALUE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/** Creates a workspace of a running platform and prints the environment of its agent. */
export async function createWorkspace(
  { workspaceName, parent, url }: CreateWorkspaceCommand,
  environment: Environment,
  { out, err }: Output,
  signal: AbortSignal,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const givenUrl = url || environment.MOLECULE_PLATFORM_URL;
  const platform = platformUrl(givenUrl || DEFAULT_URL);
  const orgId = environment.MOLECULE_ORG_ID || undefined;
  if (orgId !== undefined && !PLAIN_VALUE.test(orgId))
    throw unusableVariable('MOLECULE_ORG_ID', 'an env file');
  const operatorKey = readOperatorKey(environment);
  const body = { name: workspaceName, runtime: 'external', parent_id: parent ?? null };
  const request = { operatorKey, orgId, signal, timeoutMs };
  if (!givenUrl && operatorKey === undefined) await requirePlatformOf(environment, platform, request);
  const response = await post(`${platform}/workspaces`, body, request);
  const created = CreateWorkspaceResponse.tolerant.safeParse(response).data?.connection;
  if (created === undefined || created.auth_token === '') throw noPlatform(platform, 'it sent no workspace');
  const lines = {
    MOLECULE_PLATFORM_URL: created.platform_url,
    MOLECULE_WORKSPACE_ID: created.workspace_id,
    MOLECULE_WORKSPACE_TOKEN: created.auth_token,
    ...(orgId === undefined ? {} : { MOLECULE_ORG_ID: orgId }),
  };
  for (const [name, value] of Object.entries(lines)) {
    if (!PLAIN_VALUE.test(value))
      throw noPlatform(platform, `${name} has characters that an env file cannot have`);
  }
  for (const [name, value] of Object.entries(lines)) out(`${name}=${value}\n`);
  const others = await othersNamed(platform, workspaceName, created.workspace_id, request);
  if (others.length === 0) return;
  err(
    `There ${others.length === 1 ? 'is another workspace' : `are ${others.length} other workspaces`} with the name ${printable(workspaceName)}: ${others.join(', ')}.\n` +
      'If you wanted that one, use its token, and delete the new one: DELETE /workspaces/<id>?confirm=true.\n',
  );
}

/**
 * Refuses the platform that happens to listen on the default port when its data folder is another one. In dev mode it would accept the workspace.
 * @throws CommandError
 */
async function requirePlatformOf(
  environment: Environment,
  platform: string,
  options: RequestOptions,
): Promise<void> {
  const facts = PlatformFacts.tolerant.safeParse(await getJson(`${platform}/admin/platform`, options)).data;
  if (facts === undefined || facts.data_directory === environment.MOLECULE_DATA_DIR) return;
  const { data_directory: directory, started_at: startedAt } = facts;
  const ownDirectory = resolveDataDirectory(environment);
  if (isSameFolder(directory, ownDirectory)) return;
  const place = directory === IN_MEMORY ? 'in memory' : `in ${printable(directory)}`;
  throw new CommandError(
    `Another platform listens at ${platform}: its data is ${place}, not in ${ownDirectory}; it was started at ${printable(startedAt)}.`,
    {
      hint: `If you mean that one, add --url ${platform}. If not, start yours with another --port, and add its URL.`,
    },
  );
}

function isSameFolder(one: string, other: string): boolean {
  try {
    return one === other || realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}

/** The ids of the workspaces that have the same name; none when the platform does not list them. */
async function othersNamed(
  platform: string,
  name: string,
  ownId: string,
  options: RequestOptions,
): Promise<string[]> {
  const listed = await getJson(`${platform}/workspaces`, options);
  const rows: unknown[] = Array.isArray(listed) ? listed : [];
  const named = rows.map((row) => Object(row)).filter((row) => row.name === name && row.id !== ownId);
  return named.map(({ id }) => printable(String(id)));
}

/** What a request returns that only adds to the command; undefined when it fails. */
async function getJson(
  url: string,
  { operatorKey, orgId, signal, timeoutMs }: RequestOptions,
): Promise<unknown> {
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: headersOf(operatorKey, orgId),
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    return await response.json();
  } catch {
    return undefined;
  }
}

function headersOf(operatorKey: string | undefined, orgId: string | undefined): Record<string, string> {
  return {
    ...(operatorKey === undefined ? {} : { authorization: `Bearer ${operatorKey}` }),
    ...(orgId === undefined ? {} : { 'x-molecule-org-id': orgId }),
  };
}

function readOperatorKey(environment: Environment): string | undefined {
  const variable = environment.MOLECULE_OPERATOR_KEY ? 'MOLECULE_OPERATOR_KEY' : 'ADMIN_TOKEN';
  const key = environment[variable] || undefined;
  if (key !== undefined && !HEADER_VALUE.test(key)) throw unusableVariable(variable, 'a header of HTTP');
  return key;
}

/** Its value is not in the error, because it may be a secret. */
function unusableVariable(variable: string, place: string): CommandError {
  return new CommandError(`${variable} has characters that ${place} cannot have.`, {
    hint: `Correct ${variable}; a line break or a space at its end is a frequent cause.`,
    exitCode: WRONG_OPTIONS,
  });
}

/** @throws CommandError when it is no URL of a platform. */
function platformUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain =
    url !== undefined && url.username === '' && url.password === '' && url.search + url.hash === '';
  if (isPlain && ['http:', 'https:'].includes(url.protocol)) return url.href.replace(/\/+$/, '');
  throw new CommandError('The URL of the platform is not an http or https URL without credentials.', {
    hint: 'Give it by --url or MOLECULE_PLATFORM_URL, such as http://localhost:8080.',
    exitCode: WRONG_OPTIONS,
  });
}

interface RequestOptions {
  readonly operatorKey: string | undefined;
  readonly orgId: string | undefined;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** The body of the response; a redirect is not followed, because the operator key is for this address only. */
async function post(
  url: string,
  body: unknown,
  { operatorKey, orgId, signal, timeoutMs }: RequestOptions,
): Promise<unknown> {
  const { origin } = new URL(url);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        ...headersOf(operatorKey, orgId),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    text = await response.text();
  } catch (error) {
    throw noResponse(error, origin, signal);
  }
  const parsed = parseJson(text);
  if (response.status === 201) return parsed;
  throw refusal(response.status, parsed, origin, operatorKey !== undefined);
}

function noResponse(error: unknown, origin: string, signal: AbortSignal): CommandError {
  if (signal.aborted) {
    return new CommandError('Canceled; the platform may have created the workspace.', {
      hint: 'GET /workspaces lists the workspaces.',
    });
  }
  // What `fetch` throws has the reason as its cause, except a time-out.
  const { cause = error } = error as { cause?: unknown };
  const { code, message } = errorFacts(cause);
  const isTimeout = (error as { name?: unknown }).name === 'TimeoutError';
  if (isTimeout || CONNECTION_LOST.test(code ?? '')) {
    const problem = isTimeout ? 'did not answer in time' : 'closed the connection before it answered';
    return new CommandError(`The server at ${origin} ${problem}; it may have created the workspace.`, {
      hint: 'GET /workspaces lists the workspaces: look there before you run it again.',
    });
  }
  const reason = code === 'ECONNREFUSED' ? 'no server listens there' : (code ?? printable(message));
  return new CommandError(`No platform can be reached at ${origin}: ${reason}.`, {
    hint: 'Start it (npx @molecule-ai/platform --dev), or give the URL of another by --url or MOLECULE_PLATFORM_URL.',
  });
}

function refusal(status: number, body: unknown, origin: string, hasKey: boolean): CommandError {
  const { error, code, field } = (body ?? {}) as { error?: unknown; code?: unknown; field?: unknown };
  if (typeof error !== 'string' || !isErrorCode(code)) return noPlatform(origin, `HTTP ${status}`);
  if (status === 401 || status === 403) {
    const problem = hasKey ? 'refuses this operator key' : 'asks for the operator key';
    return new CommandError(`The platform at ${origin} ${problem}.`, {
      hint: 'Set MOLECULE_OPERATOR_KEY to the ADMIN_TOKEN of a platform in production mode, or to the key that dev mode prints.',
    });
  }
  const where = typeof field === 'string' ? `, ${printable(field)}` : '';
  const hint = where === '' ? ERROR_CODES[code] : 'Correct it, and run the command again.';
  const message = `The platform refused the workspace: ${printable(error)} (${code}${where}).`;
  return new CommandError(message, {
    hint: code === 'org_mismatch' ? 'Set MOLECULE_ORG_ID.' : hint,
  });
}

function noPlatform(origin: string, reason: string): CommandError {
  return new CommandError(`The server at ${origin} did not answer as a platform does: ${reason}.`, {
    hint: 'Give the URL of the platform itself by --url or MOLECULE_PLATFORM_URL.',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
