import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PeerReply, RemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { getAgentToken, MoleculeModule } from '@molecule-ai/nestjs';
import { type INestApplication, type Type, ValidationPipe } from '@nestjs/common';
import { APP_PIPE, ContextIdFactory, NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  ByTenant,
  enhancerOf,
  GLOBAL_TOKENS,
  hostOf,
  Journal,
  PerMessage,
  textOf,
} from './enhancer-classes.ts';
import { type Application, messagesOf, type Planned, type Unit, type Value } from './enhancer-matrix.ts';
import { moduleOf, type NestStage, QUIET } from './nest-stage.ts';

/** One message of the matrix and what became of it. */
export interface Sent extends Planned {
  readonly number: number;
  readonly reply: PeerReply;
}

export interface Observed {
  readonly journal: Journal;
  readonly sent: readonly Sent[];
}

/** The strictest one: it validates parameters of own decorators as well. */
const VALIDATION = { transform: true, whitelist: true, validateCustomDecorators: true };

let number = 0;

/** Starts the application, sends its agents their messages, and closes it. */
export async function observe(
  application: Application,
  stage: NestStage,
  caller: RemoteAgentClient,
): Promise<Observed> {
  const { units, setting } = application;
  const port = setting.delivery === 'push' ? await freePort() : 0;
  const workspaces = new Map<Unit, string>();
  const imports = [];
  for (const [index, unit] of units.entries()) {
    const reportedUrl = port === 0 ? undefined : `http://127.0.0.1:${port}/a2a/${index}`;
    const options = await stage.workspace({ client: { reportedUrl } });
    workspaces.set(unit, options.client.workspaceId);
    imports.push(MoleculeModule.forRoot({ ...options, name: unit.name }));
  }
  const journal = new Journal();
  ContextIdFactory.apply(new ByTenant() as never);
  const app = await start(application, journal, imports, port);
  try {
    const agents = units.map(({ name }) => app.get<RemoteAgent>(getAgentToken(name), { strict: false }));
    const isReady = (agent: RemoteAgent) =>
      agent.state === 'running' && (port === 0 || agent.health().delivery === 'push');
    await stage.platform.clock.advanceUntil(() => agents.every(isReady));
    const sent = messagesOf(application).map(async (message): Promise<Sent> => {
      const { unit, way, tenant, cue } = message;
      const own = ++number;
      const id = workspaces.get(unit) ?? '';
      return {
        ...message,
        number: own,
        reply: await SENDERS[way](id, textOf(tenant, cue, own), stage, caller),
      };
    });
    // Small steps: nothing of this takes time, unless messages are tried again, and each second is many heartbeats.
    const replies = stage.platform.clock.advanceUntilSettled(Promise.all(sent), { stepMs: 10 });
    return { journal, sent: await replies };
  } finally {
    await stage.settled(app.close());
    ContextIdFactory.apply(undefined as never);
  }
}

async function start(
  { setting: { server, validation }, globals, units }: Application,
  journal: Journal,
  imports: ReturnType<typeof MoleculeModule.forRoot>[],
  port: number,
) {
  const isValidated = validation === 'ValidationPipe';
  const validationPipe = new ValidationPipe(VALIDATION);
  const hosts = units.map((unit) => ({ unit, Host: hostOf(unit, isValidated) }));
  const made = (globals?.enhancers ?? []).map(({ kind, level }) => ({
    kind,
    level,
    Enhancer: enhancerOf(kind, level, globals?.scope ?? 'static'),
  }));
  const isController = ({ unit }: { readonly unit: Unit }) => unit.host.endsWith('controller');
  const root = moduleOf({
    imports,
    controllers: hosts.filter(isController).map(({ Host }) => Host),
    providers: [
      ...hosts.filter((host) => !isController(host)).map(({ Host }) => Host),
      ...made
        .filter(({ level }) => level === 'APP token')
        .map(({ kind, Enhancer }) => ({ provide: GLOBAL_TOKENS[kind], useClass: Enhancer })),
      ...(isValidated && server === 'none' ? [{ provide: APP_PIPE, useValue: validationPipe }] : []),
      { provide: Journal, useValue: journal },
      PerMessage,
    ],
  });
  if (server === 'none') return NestFactory.createApplicationContext(root, QUIET);
  const app = await create(root, server);
  if (isValidated) app.useGlobalPipes(validationPipe);
  for (const { kind, level, Enhancer } of made) {
    if (level !== 'useGlobal') continue;
    const enhancer = Object.assign(new Enhancer(), { journal });
    if (kind === 'guard') app.useGlobalGuards(enhancer);
    if (kind === 'pipe') app.useGlobalPipes(enhancer);
    if (kind === 'interceptor') app.useGlobalInterceptors(enhancer);
    if (kind === 'filter') app.useGlobalFilters(enhancer);
  }
  await app.listen(port, '127.0.0.1');
  return app;
}

function create(root: Type, server: Value<'server'>): Promise<INestApplication> {
  if (server === 'express') return NestFactory.create(root, QUIET);
  return NestFactory.create(root, new FastifyAdapter(), QUIET);
}

type Sender = (id: string, text: string, stage: NestStage, caller: RemoteAgentClient) => Promise<PeerReply>;

const SENDERS: Readonly<Record<Planned['way'], Sender>> = {
  'peer message': (id, text, _stage, caller) => caller.callPeer(id, text),
  'user message': async (id, text, { operator }) => {
    const reply = await operator.sendMessage(id, text);
    return reply.status === 'queued' ? operator.waitForAnswer(id, reply.messageId) : reply;
  },
  task: async (id, text, { operator, platform }) => {
    const messageId = randomUUID();
    const message = { kind: 'message', role: 'user', messageId, parts: [{ kind: 'text', text }] };
    await platform.request('POST', `/workspaces/${id}/a2a`, {
      body: { method: 'delegate_task', params: { message } },
    });
    return operator.waitForAnswer(id, messageId);
  },
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
