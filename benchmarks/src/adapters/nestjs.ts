import 'reflect-metadata';
import type {
  HandlerAnswer,
  HandlerContext,
  MessageHandler,
  RemoteAgentClientOptions,
} from '@molecule-ai/core';
import { temporaryState } from '@molecule-ai/core/testing';
import { MessageText, MoleculeModule, OnMessage } from '@molecule-ai/nestjs';
import {
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  Injectable,
  Module,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Figure } from '../figure.ts';
import { median } from '../statistics.ts';
import type { Handled } from './compare.ts';

/** So few that most batches end before the system runs something else. */
const MESSAGES_PER_BATCH = 20;
const BATCHES_PER_ROUND = 70;
const WARM_UP_BATCHES = 200;
/** In microseconds. */
const TARGETS = { static: 50, scoped: 100 };
/** Nothing listens there. */
const PLATFORM_DOWN = 'http://127.0.0.1:9';

class Pass implements CanActivate, PipeTransform, NestInterceptor, ExceptionFilter {
  canActivate(): boolean {
    return true;
  }
  transform(value: unknown): unknown {
    return value;
  }
  intercept(_context: unknown, next: CallHandler) {
    return next.handle();
  }
  catch(error: unknown): never {
    throw error;
  }
}

@Injectable()
class Plain {
  @OnMessage({ agent: 'plain' })
  answer(@MessageText() text: string): string {
    return text;
  }
}

@Injectable()
@UseGuards(Pass)
@UsePipes(Pass)
@UseInterceptors(Pass)
@UseFilters(Pass)
class Guarded {
  @OnMessage({ agent: 'guarded' })
  answer(@MessageText() text: string): string {
    return text;
  }
}

@Injectable({ scope: Scope.REQUEST })
class Scoped {
  @OnMessage({ agent: 'scoped' })
  answer(@MessageText() text: string): string {
    return text;
  }
}

@Injectable({ scope: Scope.REQUEST })
@UseGuards(Pass)
@UsePipes(Pass)
@UseInterceptors(Pass)
@UseFilters(Pass)
class ScopedGuarded {
  @OnMessage({ agent: 'scoped-guarded' })
  answer(@MessageText() text: string): string {
    return text;
  }
}

const HOSTS = [
  { name: 'a method', agent: 'plain', host: Plain, targetUs: TARGETS.static },
  {
    name: 'a method with a guard, pipe, interceptor and filter',
    agent: 'guarded',
    host: Guarded,
    targetUs: TARGETS.static,
  },
  { name: 'a method of a request-scoped class', agent: 'scoped', host: Scoped, targetUs: TARGETS.scoped },
  { name: 'the same with all four', agent: 'scoped-guarded', host: ScopedGuarded, targetUs: TARGETS.scoped },
] as const;

/** What decorated methods add to a handled message, over a handler of core that does the same. With a message and a context of a real run. */
export async function compareNestMethods(
  rounds: number,
  { message, context: shared }: Handled,
): Promise<Figure[]> {
  // Of its own, as each message has it: frameworks leave thousands of listeners on the one that all measurements share.
  const context: HandlerContext = Object.create(shared, { signal: { value: new AbortController().signal } });
  using state = temporaryState();
  const agents = HOSTS.map(({ agent: name }) =>
    MoleculeModule.forRoot({ client: optionsOf(state), name, manualStart: true }),
  );
  const root = rootOf({ imports: agents, providers: HOSTS.map(({ host }) => host) });
  const app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  const bare: MessageHandler = ({ text }) => text;
  const figures: Figure[] = [];
  for (const { name, agent, targetUs } of HOSTS) {
    // What the module gives to `createRemoteAgent` as `onMessage`: kept under a symbol that copies of the package share.
    const token = Symbol.for(`@molecule-ai/nestjs/dispatcher:${agent}`);
    const { onMessage: ours } = app.get<{ onMessage: MessageHandler }>(token, { strict: false });
    if ((await ours(message, context)) !== message.text)
      throw new Error(`The method of ${agent} answered nothing.`);
    const times: { bareUs: number; oursUs: number }[] = [];
    for (let batch = 0; batch < WARM_UP_BATCHES + rounds * BATCHES_PER_ROUND; batch += 1) {
      const [bareUs, oursUs] = [
        await timeOf(() => bare(message, context)),
        await timeOf(() => ours(message, context)),
      ];
      if (batch >= WARM_UP_BATCHES) times.push({ bareUs, oursUs });
    }
    figures.push(figureOf(name, times, targetUs));
  }
  await app.close();
  return figures;
}

/** Of one message, in microseconds. A single one takes less than what else the machine does. */
async function timeOf(handle: () => HandlerAnswer | Promise<HandlerAnswer>): Promise<number> {
  const start = performance.now();
  for (let at = 0; at < MESSAGES_PER_BATCH; at += 1) await handle();
  return ((performance.now() - start) * 1_000) / MESSAGES_PER_BATCH;
}

function figureOf(
  name: string,
  times: readonly { bareUs: number; oursUs: number }[],
  targetUs: number,
): Figure {
  const before = median(times.map(({ bareUs }) => bareUs));
  const after = median(times.map(({ oursUs }) => oursUs));
  const more = median(times.map(({ bareUs, oursUs }) => oursUs - bareUs));
  return {
    name: `nestjs, ${name}`,
    value: `${more.toFixed(1)} µs more (${after.toFixed(1)} : ${before.toFixed(2)} µs, ${(after / before).toFixed(0)} times)`,
    target: `at most ${targetUs} µs more`,
    met: more <= targetUs,
  };
}

/** What the module adds to the start of an empty application: with an agent that starts by hand, and with one whose platform is down. */
export async function compareNestStarts(starts: number): Promise<Figure[]> {
  const kinds = [
    { name: 'an agent that starts by hand', manualStart: true },
    { name: 'an agent whose platform is down', manualStart: false },
  ];
  const figures: Figure[] = [];
  for (const { name, manualStart } of kinds) {
    const times: { bareMs: number; oursMs: number }[] = [];
    for (let round = 0; round <= starts; round += 1) {
      using state = temporaryState();
      const agent = MoleculeModule.forRoot({ client: optionsOf(state), manualStart, withoutHandlers: true });
      const bareMs = await timeStart(rootOf({}));
      const oursMs = await timeStart(rootOf({ imports: [agent] }));
      // The first one compiles.
      if (round > 0) times.push({ bareMs, oursMs });
    }
    const before = median(times.map(({ bareMs }) => bareMs));
    const after = median(times.map(({ oursMs }) => oursMs));
    const more = median(times.map(({ bareMs, oursMs }) => oursMs - bareMs));
    figures.push({
      name: `nestjs, start of an empty application with ${name}`,
      value: `${more.toFixed(1)} ms more (${after.toFixed(1)} : ${before.toFixed(1)} ms, ${(after / before).toFixed(1)} times)`,
    });
  }
  return figures;
}

/** From the call until all hooks of the start have run, in milliseconds. */
async function timeStart(root: Type): Promise<number> {
  const start = performance.now();
  const app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  const ms = performance.now() - start;
  await app.close();
  return ms;
}

function optionsOf({ storage }: Awaited<ReturnType<typeof temporaryState>>): RemoteAgentClientOptions {
  const workspaceId = crypto.randomUUID();
  return {
    platformUrl: PLATFORM_DOWN,
    workspaceId,
    authToken: 'token',
    storage,
    agentCard: { name: 'nest' },
  };
}

function rootOf(metadata: Parameters<typeof Module>[0]): Type {
  class Root {}
  Module(metadata)(Root);
  return Root;
}
