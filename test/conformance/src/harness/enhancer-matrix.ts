/** What an enhancer can differ in, and how a message reaches it. */
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

/** What a message asks for. */
export type Cue = 'go' | 'fail' | 'refuse';

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

/**
 * Of these dimensions, all combinations are observed. Of all others it is each pair of values: the way of a message chooses the method,
 * and a server and a `ValidationPipe` decide once, for the whole application, which global enhancers there are.
 */
export const OBSERVED_IN_FULL: Readonly<Record<Value<'company'>, readonly Dimension[]>> = {
  'with others': ['kind', 'level', 'scope', 'host', 'delivery'],
  // Providers and controllers take turns.
  alone: ['kind', 'level', 'scope'],
};

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

export type Setting = Pick<Cell, 'delivery' | 'server' | 'validation' | 'company'>;

/** What applications of one test have in common. */
export type Group = Pick<Setting, 'delivery' | 'company'>;

/** A message to the agent of a unit. */
export interface Planned {
  readonly unit: Unit;
  readonly way: (typeof WAYS)[number];
  readonly tenant: string;
  readonly cue: Cue;
}

/** Those in which messages are handled by methods. */
const WAYS = ['peer message', 'user message', 'task'] as const;

const NAMES = Object.keys(DIMENSIONS) as Dimension[];
const PAIRS = NAMES.flatMap((one, index) => NAMES.slice(index + 1).map((other) => [one, other] as const));

const PRODUCT = product();

/** Every cell that can exist. */
export const CELLS: readonly Cell[] = PRODUCT.filter((cell) => !EXCLUDED.some(([, is]) => is(cell)));

/** The reasons that exclude nothing. */
export const UNUSED_EXCLUSIONS: readonly string[] = EXCLUDED.filter(([, is]) => !PRODUCT.some(is)).map(
  ([reason]) => reason,
);

export const GROUPS: readonly Group[] = [
  { delivery: 'poll', company: 'with others' },
  { delivery: 'push', company: 'with others' },
  { delivery: 'poll', company: 'alone' },
];

/** Names a cell in errors. */
export function nameOf(cell: Cell): string {
  return NAMES.map((name) => cell[name]).join(', ');
}

/** What these cells have of what has to be observed: values of dimensions beside each other. */
export function combinationsOf(cells: readonly Cell[]): Set<string> {
  const found = new Set<string>();
  for (const cell of cells) {
    const together = OBSERVED_IN_FULL[cell.company].map((name) => cell[name]);
    found.add(`${cell.company}: ${together.join(', ')}`);
    for (const [one, other] of PAIRS) found.add(`${one} ${cell[one]}, ${other} ${cell[other]}`);
  }
  return found;
}

/** The applications of a group: together they have each unit once. */
export function applications(group: Group): Application[] {
  const cells = CELLS.filter(
    ({ delivery, company }) => delivery === group.delivery && company === group.company,
  );
  const units = group.company === 'alone' ? unitsAlone(cells) : unitsOf(cells, placeOf);
  const settings = settingsOf(cells);
  const byApplication = grouped(units, (unit) => {
    const { level } = unit.enhancers[0] as Cell;
    const setting = settings.indexOf(settingFor(unit, level, settings));
    if (!isGlobal(level)) return `${setting}`;
    const kinds = unit.enhancers.map(({ kind }) => kind);
    return [setting, level, unit.scope, ...kinds].join(', ');
  });
  return [...byApplication.values()].map((together): Application => {
    const { scope, enhancers } = together[0] as Unit;
    const { level } = enhancers[0] as Cell;
    const setting = settingFor(together[0] as Unit, level, settings);
    return { setting, globals: isGlobal(level) ? { scope, enhancers } : null, units: together };
  });
}

/** The units of a group take turns with its servers and `ValidationPipe`s. */
function settingFor({ scope, host }: Unit, level: Value<'level'>, settings: readonly Setting[]): Setting {
  const turn = DIMENSIONS.scope.indexOf(scope);
  const [{ delivery }] = settings as [Setting];
  // The last of poll and the first of push: each server.
  if (level === 'useGlobal') return settings.at(delivery === 'poll' ? -1 : 0) as Setting;
  // One application for all of its hosts.
  if (level === 'APP token') return settings[turn % settings.length] as Setting;
  const place = level === 'class' ? 3 : 0;
  return settings[(turn + DIMENSIONS.host.indexOf(host) + place) % settings.length] as Setting;
}

/** What is sent to the agents of an application: what all enhancers of one see, at least twice, and once what else they can do. */
export function messagesOf({ units }: Pick<Application, 'units'>): Planned[] {
  return units.flatMap((unit, turn) => {
    const kinds = new Set(unit.enhancers.map(({ kind }) => kind));
    const all: Cue = kinds.has('filter') ? 'fail' : 'go';
    const others: readonly Cue[] = [
      ...(all === 'fail' && kinds.size > 1 ? (['go'] as const) : []),
      ...(kinds.has('guard') ? (['refuse'] as const) : []),
    ];
    const inTurn = (index: number) => WAYS[(turn + index) % WAYS.length] as Planned['way'];
    // Durable ones of two tenants, and of one of them twice.
    const ways = unit.scope === 'durable' ? WAYS : [inTurn(0), inTurn(1)];
    const messages = [
      ...ways.map((way) => ({ way, cue: all })),
      ...others.map((cue, index) => ({ way: inTurn(index + 2), cue })),
    ];
    return messages.map(({ way, cue }): Planned => {
      const tenant = unit.scope === 'durable' && way === 'task' ? 'south' : 'north';
      return { unit, way, tenant, cue };
    });
  });
}

/** Whether an enhancer of this kind runs for a message. */
export function runsFor(kind: Kind, { cue }: Pick<Planned, 'cue'>): boolean {
  if (kind === 'filter') return cue === 'fail';
  return kind === 'guard' || cue !== 'refuse';
}

/** What is observed in an application, and by which of its units. */
export function cellsOf(application: Application): { readonly cell: Cell; readonly unit: Unit }[] {
  const { setting, units } = application;
  const sent = messagesOf(application);
  return units.flatMap((unit) => {
    const messages = sent.filter((message) => message.unit === unit);
    return unit.enhancers.flatMap(({ kind, level }) => {
      const seen = messages.filter((message) => runsFor(kind, message));
      return [...new Set(seen.map(({ way }) => way))].map((way) => {
        const { scope, host } = unit;
        return { unit, cell: { kind, level, scope, host, way, ...setting } };
      });
    });
  });
}

export function isGlobal(level: Value<'level'>): boolean {
  return level === 'useGlobal' || level === 'APP token';
}

/** A pipe of a parameter stands beside the enhancers of the method. */
function placeOf({ level }: Cell): string {
  return level === 'parameter' ? 'method' : level;
}

function unitsOf(cells: readonly Cell[], keyOf: (cell: Cell) => string): Unit[] {
  const groups = grouped(cells, (cell) => [keyOf(cell), cell.scope, cell.host].join(', '));
  return [...groups].map(([name, group]): Unit => {
    const { scope, host } = group[0] as Cell;
    const enhancers = grouped(group, ({ kind, level }) => `${kind}, ${level}`);
    return { name, scope, host, enhancers: [...enhancers.values()].map(([cell]) => cell as Cell) };
  });
}

/** Of two hosts that are made at the same times, one. */
function unitsAlone(cells: readonly Cell[]): Unit[] {
  const places = [...grouped(cells, placeAndKind).keys()];
  return unitsOf(cells, placeAndKind).filter(({ scope, host, enhancers: [enhancer] }) => {
    const turn = places.indexOf(placeAndKind(enhancer as Cell)) + DIMENSIONS.scope.indexOf(scope);
    return DIMENSIONS.host.indexOf(host) % 2 === (turn + Number(host.startsWith('request-scoped'))) % 2;
  });
}

function placeAndKind({ kind, level }: Cell): string {
  return `${kind}, ${level}`;
}

function settingsOf(cells: readonly Cell[]): Setting[] {
  const keyOf = ({ server, validation }: Cell) => `${server}, ${validation}`;
  return [...grouped(cells, keyOf).values()].map(([cell]): Setting => {
    const { delivery, server, validation, company } = cell as Cell;
    return { delivery, server, validation, company };
  });
}

function isPushed({ delivery }: Cell): boolean {
  return delivery === 'push';
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
