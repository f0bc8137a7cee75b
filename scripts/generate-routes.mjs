// Writes docs/contract/routes.md from the route table.
import { createPlatform } from '../packages/platform/dist/index.js';
import { ACCESS_ERRORS, routes } from '../packages/protocol/dist/index.js';
import { writeGenerated } from './write-generated.mjs';

const ACCESS = {
  anonymous: 'Everybody; no credential is read.',
  claim: 'The first register of a new workspace, later the workspace itself or an operator.',
  own: 'The workspace with its own token only.',
  workspace: 'The workspace that the path names, or an operator.',
  caller: 'Any workspace with its own token, or an operator.',
  operator: 'An operator: operator key, org key or session.',
  peer: 'The platform or another workspace, by a peer token. A route of the server of an agent.',
};

const STREAMS = {
  true: ' Streams.',
  'on-request': ' Streams on request, as `text/event-stream`.',
  false: '',
};
const served = await servedNames();
writeGenerated('docs/contract/routes.md', render(Object.values(routes)), 'docs:routes');

/** The names of the routes that a platform serves. */
async function servedNames() {
  const platform = await createPlatform({
    mode: 'dev',
    server: { port: 0 },
    data: { directory: ':memory:' },
  });
  try {
    const headers = { authorization: `Bearer ${platform.operatorKey}` };
    const response = await fetch(`${platform.url}/openapi.json`, { headers });
    const { paths } = await response.json();
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    return new Set(operations.map(({ operationId }) => operationId));
  } finally {
    await platform.close();
  }
}

function render(table) {
  return `# Routes

<!-- Generated from packages/protocol/src/routes by \`pnpm docs:routes\`; do not edit. -->

Every route of the contract. A running platform describes the ones it serves, with all schemas, under
\`GET /openapi.json\`. Bodies are JSON unless another type is given; the shapes are exported by
\`@molecule-ai/protocol\` under the names below.

## Access and its errors

Every route can return the errors of its access, in addition to its own.

| Access | Who may call | Errors |
|---|---|---|
${Object.entries(ACCESS).map(accessRow).join('\n')}

Codes that every access can return: ${codes(ACCESS_ERRORS.anonymous)}.

## Repeats

| Repeat | Effect of a second, equal request |
|---|---|
| safe | It changes nothing. |
| idempotent | It changes nothing further; the response may differ, such as 404 after a delete. |
| keyed | It is harmless when the request carries a message id or an idempotency key. |
| unsafe | It may take effect twice, or undo what happened in between. |

## Served

${list(table.filter(({ name }) => served.has(name)))}
## Not served yet

These routes are in the contract and this platform responds 404 to them.

${list(table.filter(({ name }) => !served.has(name)))}`;
}

function list(table) {
  return table.map(section).join('\n');
}

function section(route) {
  const own = route.errors.filter((code) => !ACCESS_ERRORS[route.access].includes(code));
  const query = route.query === undefined ? [] : Object.keys(route.query.strict.shape);
  const lines = [
    `Access: ${route.access}. Repeat: ${route.repeat}.${STREAMS[route.streams]}`,
    query.length > 0 && `Query: ${codes(query)}.`,
    route.request && `Body: ${shape(route.request)}.`,
    `Responses: ${Object.entries(route.responses).map(response).join(', ')}.`,
    own.length > 0 && `Own errors: ${codes(own)}.`,
  ];
  const items = lines.filter(Boolean).map((line) => `- ${line}`);
  return `### \`${route.method} ${route.path}\`\n\n${route.summary}\n\n${items.join('\n')}\n`;
}

function response([status, body]) {
  return body.media === '' ? status : `${status} ${shape(body)}`;
}

function shape(body) {
  return `\`${body.media ?? body.name}\``;
}

function accessRow([access, who]) {
  const own = ACCESS_ERRORS[access].filter((code) => !ACCESS_ERRORS.anonymous.includes(code));
  return `| ${access} | ${who} | ${own.length === 0 ? '–' : codes(own)} |`;
}

function codes(words) {
  return words.map((word) => `\`${word}\``).join(', ');
}
