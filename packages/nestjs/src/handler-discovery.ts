import {
  ConfigurationError,
  type InboundAnswer,
  type InboundMessage,
  type SkillHandler,
} from '@molecule-ai/core';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { type HandlerMark, marksOf } from './decorators.ts';
import { agentLabel } from './molecule-options.ts';

/** A module of Nest and what it holds; Nest does not export their types by name. */
export type NestModule = ModulesContainer extends Map<string, infer Module> ? Module : never;
export type Wrapper = NestModule['providers'] extends Map<unknown, infer Held> ? Held : never;

/** A decorated method. */
export interface Handler<Mark extends HandlerMark = HandlerMark> {
  readonly mark: Mark;
  readonly module: NestModule;
  readonly wrapper: Wrapper;
  readonly methodName: string;
  readonly method: (...values: unknown[]) => unknown;
  /** For errors: `OrdersController.answer (OrdersModule)`. */
  readonly place: string;
}

/** All decorated methods of the providers and controllers of an application. */
export function findHandlers(modules: ModulesContainer): Handler[] {
  const scanner = new MetadataScanner();
  // Several tokens may stand for one instance: then the one that Nest made from its class counts.
  const seen = new Map<unknown, Set<string>>();
  return hostsIn(modules).flatMap(({ module, wrapper, prototype }) =>
    scanner.getAllMethodNames(prototype).flatMap((methodName) => {
      const method = Reflect.get(prototype, methodName) as Handler['method'];
      const marks = marksOf(method);
      if (marks.length === 0) return [];
      const host: unknown = wrapper.instance ?? wrapper;
      const methods = seen.get(host) ?? new Set();
      if (methods.has(methodName)) return [];
      seen.set(host, methods.add(methodName));
      const place = `${prototype.constructor.name}.${methodName} (${module.name})`;
      return marks.map((mark) => ({ mark, module, wrapper, methodName, method, place }));
    }),
  );
}

/** Whether Nest makes one for each message, or for each place where it is injected. */
export function isScoped(wrapper: Wrapper): boolean {
  return !wrapper.isDependencyTreeStatic() || wrapper.isTransient;
}

interface Host {
  readonly module: NestModule;
  readonly wrapper: Wrapper;
  readonly prototype: object;
}

function hostsIn(modules: ModulesContainer): Host[] {
  const hosts = [...modules.values()].flatMap((module) =>
    [...module.providers.values(), ...module.controllers.values()].flatMap((wrapper) => {
      const prototype = prototypeOf(wrapper);
      return prototype === null ? [] : { module, wrapper, prototype };
    }),
  );
  return hosts.sort((a, b) => Number(a.wrapper.isNotMetatype) - Number(b.wrapper.isNotMetatype));
}

function prototypeOf({ isAlias, isNotMetatype, metatype, instance }: Wrapper): object | null {
  if (isAlias) return null;
  if (!isNotMetatype) return metatype?.prototype ?? null;
  return typeof instance === 'object' && instance !== null ? Object.getPrototypeOf(instance) : null;
}

/** Which handler of an agent gets which message. */
export class MessageRoutes<Route extends { readonly place: string }> {
  readonly #routes = new Map<string, Route>();
  readonly skills: { readonly skill: SkillHandler['skill']; readonly route: Route }[] = [];

  /** @throws ConfigurationError when another handler has the same messages, naming both. */
  add(mark: HandlerMark, route: Route): void {
    for (const key of keysOf(mark)) {
      const other = this.#routes.get(key);
      if (other !== undefined) throw twoHandlers(mark.agent, key, other.place, route.place);
      this.#routes.set(key, route);
    }
    if (mark.kind === 'skill') this.skills.push({ skill: mark.skill, route });
  }

  get size(): number {
    return this.#routes.size;
  }

  findAnswer(kind: InboundAnswer['kind']): Route | undefined {
    return this.#routes.get(answerKey(kind)) ?? this.#routes.get(answerKey(undefined));
  }

  /** The most exact one: the method, then the sender, then the kind of sender, then any. */
  find({ method, source, sourceId }: InboundMessage): Route | undefined {
    const routes = this.#routes;
    const task = routes.get(taskKey(method));
    if (task !== undefined) return task;
    const sender =
      source === 'canvas_user'
        ? routes.get(USER)
        : ((source === 'peer_agent' ? routes.get(peerKey(sourceId.toLowerCase())) : undefined) ??
          routes.get(ANY_PEER));
    return sender ?? routes.get(ANY);
  }
}

const USER = '@OnUserMessage()';
const ANY_PEER = '@OnPeerMessage()';
const ANY = '@OnMessage()';

function taskKey(method: string): string {
  return `@OnTask('${method}')`;
}

function peerKey(id: string): string {
  return `@OnPeerMessage({ from: '${id}' })`;
}

function answerKey(kind: InboundAnswer['kind'] | undefined): string {
  return kind === undefined ? '@OnAnswer()' : `@OnAnswer({ kind: '${kind}' })`;
}

/** Written as the decorators that make them, for errors. */
function keysOf(mark: HandlerMark): string[] {
  if (mark.kind === 'event') return [];
  if (mark.kind === 'task') return [taskKey(mark.method)];
  if (mark.kind === 'skill') return [`@Skill('${mark.skill.id}')`];
  if (mark.kind === 'answer') return [answerKey(mark.of)];
  if (mark.kind === 'peer') return mark.from.length === 0 ? [ANY_PEER] : mark.from.map(peerKey);
  return [mark.kind === 'user' ? USER : ANY];
}

function twoHandlers(agent: string, key: string, first: string, second: string): ConfigurationError {
  return new ConfigurationError(`Two methods have ${key} of ${agentLabel(agent)}: ${first} and ${second}.`, {
    hint: 'Remove one, provide the class in one module only, or give one of them another sender, method or agent.',
  });
}
