// Import rules, and no cycles: type imports count (see docs/architecture.md).
// Packages are seen both as sources and, through node_modules, as built files; hence both spellings.
const packagePath = (name) => `(^packages/${name}/|/node_modules/@molecule-ai/${name}/)`;

/** In each package, a module imports only from modules before it in its list. */
const coreModules = [
  'errors',
  'logging',
  'time',
  'storage',
  'settings',
  'skills',
  'telemetry',
  'credentials',
  'heartbeat-worker',
  'transport',
  'platform-api',
  'peers',
  'client',
  'presence',
  'inbound-http',
  'inbound',
  'tools',
  'agent',
  'server',
  'testing',
];

const coreModuleRules = coreModules.map((module, index) => ({
  name: `core-module-${module}`,
  comment: `packages/core/src/${module} imports only from the modules above it`,
  severity: 'error',
  from: { path: `^packages/core/src/${module}/`, pathNot: '\\.test\\.ts$' },
  to: { path: `^packages/core/src/(${coreModules.slice(index + 1).join('|') || 'no-such-module'})/` },
}));

const platformModules = [
  'logging',
  'time',
  'options',
  'telemetry',
  'database',
  'storage',
  'events',
  'http',
  'health',
  'directory',
  'hierarchy',
  'liveness',
  'instances',
  'tokens',
  'session',
  'peer-tokens',
  'waiting',
  'activity',
  'messages',
  'notify',
  'workspaces',
  'registry',
  'command-line',
  'testing',
];

const platformModuleRules = platformModules.map((module, index) => ({
  name: `platform-module-${module}`,
  comment: `packages/platform/src/${module} imports only from the modules above it in docs/architecture.md`,
  severity: 'error',
  from: { path: `^packages/platform/src/${module}/`, pathNot: '\\.test\\.ts$' },
  to: { path: `^packages/platform/src/(${platformModules.slice(index + 1).join('|') || 'no-such-module'})/` },
}));

const platformStoreRules = platformModules.map((module) => ({
  name: `platform-store-${module}`,
  comment: `only packages/platform/src/${module} may use its own store`,
  severity: 'error',
  from: { path: '^packages/platform/src/', pathNot: [`^packages/platform/src/${module}/`, '\\.test\\.ts$'] },
  to: { path: `^packages/platform/src/${module}/.*store\\.ts$` },
}));

/** In `inbound` of core, a file imports only from files before it in this list; those of one row know each other only through others. */
const inboundFiles = [
  ['finished-messages', 'handler', 'delivery', 'life'],
  ['inbound-observer', 'ledger-lines'],
  ['inbound-store', 'arrival-message', 'arrival-room', 'waiting-requests'],
  ['inbound-options'],
  ['streams/'],
  ['ledger', 'attempt'],
  ['ack-sender'],
  ['message-home'],
  ['run'],
  ['scheduler'],
  ['deliveries', 'cancellations', 'dead-letters', 'requests', 'silence'],
  ['inbound'],
];

/** The files of a folder import each other in the order of these rows. */
const orderRules = (name, folder, rows, page) => {
  const pathOf = (names) =>
    `^${folder}/(${names.map((file) => (file.endsWith('/') ? file : `${file}\\.ts`)).join('|')})`;
  return rows.map((row, index) => ({
    name: `${name}-${row[0]}`,
    comment: `the files of ${folder} import each other in one direction: ${page}`,
    severity: 'error',
    from: { path: pathOf(row), pathNot: '\\.test\\.ts$' },
    to: {
      path: pathOf(
        rows
          .slice(index + 1)
          .flat()
          .concat('no-such-file'),
      ),
    },
  }));
};

const inboundRules = orderRules(
  'core-inbound',
  'packages/core/src/inbound',
  inboundFiles,
  'docs/architecture.md#how-an-agent-handles-a-message',
);

/** In `messages` of the platform, a file imports only from files before it in this list; those of one row know each other only through others. */
const messageFiles = [
  ['outcome', 'path', 'request', 'delivery.rules', 'streams/answer-memory', 'streams/answer-streams'],
  ['life', 'response'],
  ['message.store', 'questions/questions.store'],
  ['waiters', 'queue'],
  ['outcome-feed'],
  ['transitions'],
  ['expiry', 'streams/progress'],
  ['questions/questions.rules', 'questions/questions.service'],
  ['push/'],
  ['asked-messages', 'accept/'],
  ['streams/message-streams', 'streams/stream-response'],
  ['messages.service'],
];

const messageRules = orderRules(
  'platform-messages',
  'packages/platform/src/messages',
  messageFiles,
  'docs/architecture.md#how-a-message-travels',
);

export default {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Move the shape both files need down into a file of its own.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'protocol-imports-zod-only',
      severity: 'error',
      from: { path: '^packages/protocol/src/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: ['^packages/protocol/src/', '/node_modules/zod/'] },
    },
    {
      name: 'only-protocol-imports-zod',
      comment:
        'Import `z` from @molecule-ai/protocol, which contains the parts of zod that are in use: a second copy takes as long to load.',
      severity: 'error',
      from: { path: '^packages/(?!protocol/)[^/]+/src/', pathNot: '\\.test\\.ts$' },
      to: { path: '/node_modules/zod/' },
    },
    {
      name: 'net-guard-stands-at-the-bottom',
      severity: 'error',
      from: { path: '^packages/net-guard/src/' },
      to: { path: '@molecule-ai/|^packages/(?!net-guard/)' },
    },
    {
      name: 'telemetry-stands-at-the-bottom',
      severity: 'error',
      from: { path: '^packages/telemetry/src/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: ['^packages/telemetry/src/', '^(node:)?(async_hooks|diagnostics_channel)$'] },
    },
    {
      name: 'platform-never-imports-core',
      severity: 'error',
      from: { path: '^packages/platform/' },
      to: { path: packagePath('(core|langchain|ai-sdk|nestjs|cli|mcp)') },
    },
    {
      name: 'core-never-imports-platform',
      severity: 'error',
      from: { path: '^packages/core/' },
      to: { path: packagePath('(platform|langchain|ai-sdk|nestjs|cli|mcp)') },
    },
    {
      name: 'langchain-imports-core-and-its-framework',
      comment: 'What else an adapter needs belongs in core.',
      severity: 'error',
      from: { path: '^packages/langchain/src/', pathNot: '\\.test\\.ts$' },
      to: {
        pathNot: [
          '^packages/langchain/src/',
          '(^packages/core/|/node_modules/@molecule-ai/core/)',
          '/node_modules/(@langchain/(core|langgraph)|langchain)/',
        ],
      },
    },
    {
      name: 'ai-sdk-imports-core-and-its-framework',
      comment: 'What else an adapter needs belongs in core.',
      severity: 'error',
      from: { path: '^packages/ai-sdk/src/', pathNot: '\\.test\\.ts$' },
      to: {
        pathNot: [
          '^packages/ai-sdk/src/',
          '(^packages/core/|/node_modules/@molecule-ai/core/)',
          // Signatures of what a page keeps.
          '^(node:)?crypto$',
          '/node_modules/ai/',
        ],
      },
    },
    {
      name: 'ai-sdk-chat-is-an-entry-of-its-own',
      comment: 'The main entry loads nothing of the chat route.',
      severity: 'error',
      from: { path: '^packages/ai-sdk/src/(?!chat)', pathNot: '\\.test\\.ts$' },
      to: { path: '^packages/ai-sdk/src/chat' },
    },
    {
      name: 'nestjs-imports-core-and-its-framework',
      comment:
        'What else an adapter needs belongs in core. Nest is imported by its package names, which differ in nothing between 10 and 12.',
      severity: 'error',
      from: { path: '^packages/nestjs/src/', pathNot: '\\.test\\.ts$' },
      to: {
        pathNot: [
          '^packages/nestjs/src/',
          '^(node:)?async_hooks$',
          '(^packages/core/|/node_modules/@molecule-ai/core/)',
          '/node_modules/(@nestjs/(common|core|microservices|terminus|config)|rxjs)/',
        ],
      },
    },
    {
      name: 'published-names-only',
      comment:
        'Examples, tests and other packages import package names, never a path into another src or dist.',
      severity: 'error',
      from: { path: '^(packages|examples|test|benchmarks)/([^/]+)/' },
      to: {
        path: '^(packages|examples|test|benchmarks)/([^/]+)/',
        pathNot: ['^$1/$2/', '^test/vectors/', '/dist/'],
        dependencyTypes: ['local'],
      },
    },
    {
      name: 'no-undeclared-dependency',
      comment: 'A development dependency that is listed here is bundled by scripts/build-package.mjs.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: '\\.test\\.ts$' },
      to: {
        dependencyTypes: ['npm-no-pkg', 'npm-dev', 'npm-unknown', 'unknown'],
        dependencyTypesNot: ['npm-peer'],
        pathNot: '/node_modules/(kysely|jose|leven)/',
      },
    },
    {
      name: 'node-modules-by-prefix',
      comment: 'Built-in modules are imported with the node: prefix.',
      severity: 'error',
      from: { path: '^packages/protocol/src/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-static-import-of-node-http',
      comment:
        "As an ES module it loads Node's own fetch, which takes as long as Fastify: process.getBuiltinModule() does not.",
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(node:)?http$', dependencyTypesNot: ['type-only', 'dynamic-import'] },
    },
    {
      name: 'no-static-import-of-node-util',
      comment: 'As an ES module it loads all that it exports on demand: process.getBuiltinModule() does not.',
      severity: 'error',
      from: { path: '^packages/core/src/(?!testing/)', pathNot: '\\.test\\.ts$' },
      to: { path: '^(node:)?util$', dependencyTypesNot: ['type-only', 'dynamic-import'] },
    },
    ...coreModuleRules,
    ...inboundRules,
    ...platformModuleRules,
    ...platformStoreRules,
    ...messageRules,
    {
      name: 'platform-modules-are-listed',
      comment: 'Add the module to platformModules, above the modules that use it.',
      severity: 'error',
      from: { path: '^packages/platform/src/' },
      to: { path: `^packages/platform/src/(?!(${platformModules.join('|')})/)[^/]+/` },
    },
    {
      name: 'platform-composition-root',
      comment: 'Modules get what they use from their options; only the root knows all of them.',
      severity: 'error',
      from: {
        path: `^packages/platform/src/(${platformModules.filter((module) => module !== 'command-line').join('|')})/`,
        pathNot: '\\.test\\.ts$',
      },
      to: { path: '^packages/platform/src/(platform|modules|main|index)\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: ['/dist/', '\\.turbo/'] },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.mts', '.js', '.mjs', '.json'],
    },
  },
};
