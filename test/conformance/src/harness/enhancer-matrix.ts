/** What an enhancer can differ in, and how a message reaches it. The product of these is what the matrix has to observe. */
export const DIMENSIONS = {
  kind: ['guard', 'pipe', 'interceptor', 'filter'],
  level: ['parameter', 'method', 'class', 'useGlobal', 'APP token'],
  scope: ['static', 'request', 'transient', 'durable'],
  host: ['provider', 'controller', 'request-scoped provider', 'request-scoped controller'],
  way: ['peer message', 'user message', 'task', 'microservice pattern', 'event'],
  delivery: ['poll', 'push'],
  server: ['none', 'express', 'fastify'],
  validation: ['no ValidationPipe', 'ValidationPipe'],
  /** Whether the class or application has one enhancer, or others of the same scope as well. */
  company: ['with others', 'alone'],
} as const;

export type Dimension = keyof typeof DIMENSIONS;
export type Value<Name extends Dimension> = (typeof DIMENSIONS)[Name][number];
export type Cell = { readonly [Name in Dimension]: Value<Name> };
export type Kind = Value<'kind'>;

/** Which cells cannot exist, or would be another cell once more, and why. */
const EXCLUDED: readonly (readonly [reason: string, is: (cell: Cell) => boolean])[] = [
  ['Only pipes can be those of a parameter.', ({ kind, level }) => level === 'parameter' && kind !== 'pipe'],
  [
    'What useGlobalGuards() and the like take are instances, which have no scope.',
    ({ level, scope }) => level === 'useGlobal' && scope !== 'static',
  ],
  [
    'An application context has no useGlobalGuards() and the like.',
    ({ level, server }) => level === 'useGlobal' && server === 'none',
  ],
  [
    'Nothing is pushed to an application without a server.',
    (cell) => isPushed(cell) && cell.server === 'none',
  ],
  [
    'Methods of @MessagePattern() are run by Nest itself, with the context type rpc; nestjs.microservice.messages has one enhancer of each kind.',
    ({ way }) => way === 'microservice pattern',
  ],
  [
    'An event has no answer, and enhancers do not apply to it; that none runs is checked in each application.',
    ({ way }) => way === 'event',
  ],
  [
    'How Nest makes one enhancer and its host is decided without a server and a ValidationPipe: alone without both only.',
    ({ company, server, validation }) =>
      company === 'alone' && (server !== 'none' || validation === 'ValidationPipe'),
  ],
];

/** Which enhancers a class or an application has beside each other. */
export interface Unit {
  /** The name of its agent, and for errors. */
  readonly name: string;
  readonly scope: Value<'scope'>;
  readonly host: Value<'host'>;
  readonly enhancers: readonly { readonly kind: Kind; readonly level: Value<'level'> }[];
}

/** One application with its agents. */
export interface Application {
  readonly setting: Setting;
  /** `null`: its enhancers are those of classes, methods and parameters. */
  readonly globals: Pick<Unit, 'scope' | 'enhancers'> | null;
  readonly units: readonly Unit[];
}

/** What applications of one test have in common. */
export type Setting = Pick<Cell, 'delivery' | 'server' | 'validation' | 'company'>;

const PRODUCT = product();

/** Every cell that exists. */
export const CELLS: readonly Cell[] = PRODUCT.filter((cell) => !EXCLUDED.some(([, is]) => is(cell)));

/** The reasons that exclude nothing. */
export const UNUSED_EXCLUSIONS: readonly string[] = EXCLUDED.filter(([, is]) => !PRODUCT.some(is)).map(
  ([reason]) => reason,
);

/** Names a cell in errors, and stands for it in sets. */
export function nameOf(cell: Cell): string {
  return Object.keys(DIMENSIONS)
    .map((dimension) => cell[dimension as Dimension])
    .join(', ');
}

/** The settings that cells have, each once. */
export function settings(): Setting[] {
  const keyOf = ({ delivery, server, validation, company }: Setting) =>
    [server, delivery, validation, company].join(', ');
  return [...grouped(CELLS, keyOf).values()].map(([cell]) => cell as Cell);
}

export function nameOfSetting({ delivery, server, validation, company }: Setting): string {
  return `${server === 'none' ? 'no server' : server}, ${delivery}, ${validation}, enhancers ${company}`;
}

/** The applications that have all cells of a setting. */
export function applications(setting: Setting): Application[] {
  const cells = CELLS.filter((cell) => isIn(cell, setting));
  const isAlone = setting.company === 'alone';
  const locals = cells.filter(({ level }) => !isGlobal(level));
  const local: Application = { setting, globals: null, units: unitsOf(locals, isAlone) };
  const globals = grouped(
    cells.filter(({ level }) => isGlobal(level)),
    ({ level, scope, kind }) => [level, scope, isAlone ? kind : 'all'].join(', '),
  );
  const others = [...globals.values()].map((group): Application => {
    const units = unitsOf(group, isAlone);
    const { scope, enhancers } = units[0] as Unit;
    return { setting, globals: { scope, enhancers }, units };
  });
  return [local, ...others];
}

export function cellsOf({ setting, units }: Application): { readonly cell: Cell; readonly unit: Unit }[] {
  return units.flatMap((unit) =>
    CELLS.filter(
      (cell) =>
        isIn(cell, setting) &&
        cell.scope === unit.scope &&
        cell.host === unit.host &&
        unit.enhancers.some(({ kind, level }) => kind === cell.kind && level === cell.level),
    ).map((cell) => ({ cell, unit })),
  );
}

export function isGlobal(level: Value<'level'>): boolean {
  return level === 'useGlobal' || level === 'APP token';
}

/** A pipe of a parameter stands beside the enhancers of the method. */
function unitsOf(cells: readonly Cell[], isAlone: boolean): Unit[] {
  const keyOf = ({ kind, level, scope, host }: Cell) => {
    const place = level === 'parameter' ? 'method' : level;
    return [...(isAlone ? [kind, level] : [place]), scope, host].join(', ');
  };
  return [...grouped(cells, keyOf)].map(([name, group]): Unit => {
    const { scope, host } = group[0] as Cell;
    const enhancers = grouped(group, ({ kind, level }) => `${kind}, ${level}`);
    return { name, scope, host, enhancers: [...enhancers.values()].map(([cell]) => cell as Cell) };
  });
}

function isPushed({ delivery }: Cell): boolean {
  return delivery === 'push';
}

function isIn(cell: Cell, { delivery, server, validation, company }: Setting): boolean {
  return (
    cell.delivery === delivery &&
    cell.server === server &&
    cell.validation === validation &&
    cell.company === company
  );
}

function product(): Cell[] {
  return Object.entries(DIMENSIONS).reduce<Record<string, string>[]>(
    (cells, [dimension, values]) =>
      cells.flatMap((cell) => values.map((value) => ({ ...cell, [dimension]: value }))),
    [{}],
  ) as Cell[];
}

function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
}
