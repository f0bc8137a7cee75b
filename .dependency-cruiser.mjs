// The directions of the house, and no cycles: type imports count (see docs/architecture.md).
// Packages are seen both as sources and, through node_modules, as built files; hence both spellings.
const packagePath = (name) => `(^packages/${name}/|/node_modules/@molecule-ai/${name}/)`;

/** In each package, a room imports only from rooms before it in its list. */
const coreRooms = [
  'errors',
  'logging',
  'time',
  'storage',
  'settings',
  'credentials',
  'transport',
  'platform-api',
  'peers',
  'client',
  'presence',
  'inbound',
  'agent',
  'remote-agent-client',
];

const coreRoomRules = coreRooms.map((room, index) => ({
  name: `core-room-${room}`,
  comment: `packages/core/src/${room} imports only from the rooms above it`,
  severity: 'error',
  from: { path: `^packages/core/src/${room}/`, pathNot: '\\.test\\.ts$' },
  to: { path: `^packages/core/src/(${coreRooms.slice(index + 1).join('|') || 'no-such-room'})/` },
}));

const platformRooms = [
  'logging',
  'time',
  'options',
  'database',
  'storage',
  'events',
  'http',
  'health',
  'directory',
  'hierarchy',
  'liveness',
  'tokens',
  'session',
  'waiting',
  'activity',
  'messages',
  'notify',
  'workspaces',
  'registry',
  'command-line',
];

const platformRoomRules = platformRooms.map((room, index) => ({
  name: `platform-room-${room}`,
  comment: `packages/platform/src/${room} imports only from the rooms above it in docs/architecture.md`,
  severity: 'error',
  from: { path: `^packages/platform/src/${room}/`, pathNot: '\\.test\\.ts$' },
  to: { path: `^packages/platform/src/(${platformRooms.slice(index + 1).join('|') || 'no-such-room'})/` },
}));

const platformStoreRules = platformRooms.map((room) => ({
  name: `platform-store-${room}`,
  comment: `only packages/platform/src/${room} may use its own store`,
  severity: 'error',
  from: { path: '^packages/platform/src/', pathNot: [`^packages/platform/src/${room}/`, '\\.test\\.ts$'] },
  to: { path: `^packages/platform/src/${room}/.*store\\.ts$` },
}));

/** What happens to a message goes one way: accept, push, outcome; each imports only from those after it. */
const messageSteps = ['accept', 'push', 'outcome'];

const messageStepRules = messageSteps.slice(1).map((step, index) => ({
  name: `platform-messages-${step}`,
  comment: `packages/platform/src/messages/${step} never calls back`,
  severity: 'error',
  from: { path: `^packages/platform/src/messages/${step}/`, pathNot: '\\.test\\.ts$' },
  to: { path: `^packages/platform/src/messages/(${messageSteps.slice(0, index + 1).join('|')})/` },
}));

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
      name: 'net-guard-stands-at-the-bottom',
      severity: 'error',
      from: { path: '^packages/net-guard/src/' },
      to: { path: '@molecule-ai/|^packages/(?!net-guard/)' },
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
        pathNot: '/node_modules/kysely/',
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
    ...coreRoomRules,
    ...platformRoomRules,
    ...platformStoreRules,
    ...messageStepRules,
    {
      name: 'platform-rooms-are-listed',
      comment: 'Add the room to platformRooms, above the rooms that use it.',
      severity: 'error',
      from: { path: '^packages/platform/src/' },
      to: { path: `^packages/platform/src/(?!(${platformRooms.join('|')})/)[^/]+/` },
    },
    {
      name: 'platform-composition-root',
      comment: 'Rooms get what they use from their options; only the root knows all of them.',
      severity: 'error',
      from: {
        path: `^packages/platform/src/(${platformRooms.filter((room) => room !== 'command-line').join('|')})/`,
        pathNot: '\\.test\\.ts$',
      },
      to: { path: '^packages/platform/src/(platform|rooms|main|index)\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: ['/dist/', '\\.turbo/'] },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.mts', '.js', '.mjs', '.json'],
    },
  },
};
