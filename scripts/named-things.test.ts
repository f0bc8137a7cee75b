import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { withoutCode } from './markdown.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}${path}`, 'utf8');
const filesIn = (folder: string, name: RegExp) =>
  readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((path) => name.test(path) && !/(^|\/)(node_modules|dist|\.package)\//.test(path))
    .map((path) => `${folder}/${path}`);

const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  ...filesIn('docs', /\.md$/),
  ...['packages', 'examples'].flatMap((folder) => filesIn(folder, /README\.md$/)),
];
/** What the documents speak of. Tests are left out: some name what no longer exists, to see that it is refused. */
const CODE = ['packages', 'examples', 'test', 'scripts', 'benchmarks'].flatMap((folder) =>
  filesIn(folder, /(?<!\.test)\.(ts|mts|mjs|py|sh|json|service|conf)$/),
);

/** Names of programs and libraries of others that no code here has, and words of wildcards. */
const FOREIGN = new Set(
  `
  flush_interval grace_period limit_req reverse_proxy proxy_ignore_headers tcp_wmem tcp_rmem
  ServerAliveInterval ExitOnForwardFailure MemoryDenyWriteExecute Recreate StatefulSet terminationGracePeriodSeconds
  NODE_USE_ENV_PROXY ALL_PROXY SELF_SIGNED_CERT_IN_CHAIN ERR_UNKNOWN_FILE_EXTENSION uncaughtException SyntaxError innerHTML textContent
  AI_SDK_LOG_WARNINGS RetryError extractReasoningMiddleware tagName providerReference
  addToolApprovalResponse prepareSendMessagesRequest messageMetadata
  withFallbacks maxConcurrency on_custom_event ChatOpenAI MongoDBSaver RedisSaver isolatedModules NEXT_RUNTIME ClassSerializerInterceptor
  beforeApplicationShutdown startAllMicroservices ThrottlerGuard skipIf GqlExecutionContext runIf
  token_dir reported_url heartbeat_interval state_poll_interval url_cache_ttl load_token save_token install_plugin
  compute_plugin_sha256 verify_plugin_sha256 invalidate_peer_url prefer_direct run_heartbeat_loop task_supplier max_iterations
  cursor_file molecule_plugin MOLECULE_POLL_INTERVAL MOLECULE_CURSOR_FILE
  rtok_ peer_ wholeText no_such_file ORDERS_TOKEN
  `.match(/\S+/g),
);
/** A decision may name what it replaced, and a contract the headers of HTTP. */
const isExempt = (document: string, word: string) =>
  FOREIGN.has(word) || (document.startsWith('docs/decisions/') && /^[A-Z]+(_[A-Z]+)*$/.test(word));

const wordsIn = (text: string) => text.match(/[A-Za-z_]\w*/g) ?? [];
/** Words that look like a name of code: `camelCase`, `snake_case`, `PascalCase`, `UPPER_CASE`; headers such as `X-A-B` are not. */
const namesIn = (code: string) =>
  wordsIn(code.replace(/\b[A-Z]\w*(-[A-Z*]\w*)+/g, '')).filter((word) => /[a-z][A-Z]|_/.test(word));
const lineOf = (text: string, at: number) => text.slice(0, at).split('\n').length;

/** Statements in `text` that name what is not there, as `<document>:<line> <name>`. */
function unknownNames(document: string, text: string, known: ReadonlySet<string>): string[] {
  const ownCode = new Set((text.match(/^```[^\n]*\n[\s\S]*?^```/gm) ?? []).flatMap(wordsIn));
  return [...withoutCode(text).matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].flatMap(({ 1: code = '', index }) =>
    namesIn(code)
      .filter((name) => !known.has(name) && !ownCode.has(name) && !isExempt(document, name))
      .map((name) => `${document}:${lineOf(text, index)} ${name}`),
  );
}

interface Facts {
  /** A pattern for each, such as `GET /workspaces/[^/]+`. */
  readonly routes: readonly RegExp[];
  readonly flags: ReadonlySet<string>;
  readonly commands: ReadonlySet<string>;
  readonly scripts: ReadonlySet<string>;
}

/** Routes, commands of the platform's bin with their flags, and scripts of the repository that are not there. */
function unknownCommands(
  document: string,
  text: string,
  { routes, flags, commands, scripts }: Facts,
): string[] {
  const found: [at: number, name: string][] = [];
  for (const { 0: route, index } of text.matchAll(/\b(GET|POST|PUT|PATCH|DELETE) \/[\w/:.<>{}*-]*/g)) {
    const name = route.replace(/[.:]+$/, '');
    if (!routes.some((pattern) => pattern.test(name))) found.push([index, name]);
  }
  for (const { 1: rest = '', index } of text.matchAll(
    /(?:npx @molecule-ai\/platform|molecule-platform|pnpm@12 platform)((?: [^\s`|#&;)]+)*)/g,
  )) {
    const words = rest.trim().split(/\s+/);
    for (const word of words.filter((each) => each.startsWith('--')))
      if (!flags.has(word.replace(/=.*/, ''))) found.push([index, word]);
    if (
      /^[a-z]/.test(words[0] ?? '') &&
      rest.startsWith(' ') &&
      !commands.has(words[0] ?? '') &&
      /`/.test(text[index - 1] ?? '')
    )
      found.push([index, words[0] ?? '']);
  }
  for (const { 1: script = '', index } of text.matchAll(/npx -y pnpm@12 ([a-z][\w:-]*)/g))
    if (!scripts.has(script)) found.push([index, script]);
  return found.map(([at, name]) => `${document}:${lineOf(text, at)} ${name}`);
}

const PNPM_COMMANDS = ['add', 'exec', 'install', 'pack', 'publish', 'update'];

function facts(): Facts {
  const definitions = ['command-line/platform-command.ts', 'options/options-schema.ts']
    .map((path) => read(`packages/platform/src/${path}`))
    .join('\n');
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };
  const table = [...read('docs/contract/routes.md').matchAll(/^### `(\w+ \/\S*)`/gm)].map(
    ([, route = '']) => route,
  );
  return {
    // An agent has this one.
    routes: ['GET /.well-known/agent-card.json', ...table].map(
      (route) => new RegExp(`^${route.replace(/[.]/g, '\\.').replace(/:\w+/g, '[^/]+')}$`),
    ),
    flags: new Set(['--help', '--version', ...(definitions.match(/--[a-z-]+/g) ?? [])]),
    commands: new Set([...definitions.matchAll(/\.command\('([\w-]+)'\)/g)].map(([, name = '']) => name)),
    scripts: new Set([...PNPM_COMMANDS, ...Object.keys(scripts)]),
  };
}

it('each document names options, codes, members and variables that exist', () => {
  const known = new Set(CODE.flatMap((path) => wordsIn(read(path))));
  expect(known.has('createRemoteAgent')).toBe(true);
  expect(DOCUMENTS.flatMap((path) => unknownNames(path, read(path), known))).toEqual([]);
  const wrong =
    'The option `retryForever` of `createRemoteAgent({ onMesage })` ends with `no_such_code`, see `MOLECULE_NOWHERE`.';
  expect(unknownNames('README.md', wrong, known).map((each) => each.split(' ')[1])).toEqual([
    'retryForever',
    'onMesage',
    'no_such_code',
    'MOLECULE_NOWHERE',
  ]);
});

it('each document names routes, commands, flags and scripts that exist', () => {
  const known = facts();
  expect(DOCUMENTS.flatMap((path) => unknownCommands(path, read(path), known))).toEqual([]);
  const wrong =
    '`GET /workspace`, `molecule-platform destroy`, `npx @molecule-ai/platform --forever`, `npx -y pnpm@12 fly`';
  expect(
    unknownCommands('README.md', wrong, known).map((each) => each.split(' ').slice(1).join(' ')),
  ).toEqual(['GET /workspace', 'destroy', '--forever', 'fly']);
});
