import { behaviours } from './behaviour.ts';

/** The adapter for NestJS: modules, their options and agents. */
export const NESTJS_MODULES = behaviours({
  'nestjs.modules.async': [
    'The options of an agent come from forRoot, or from a factory, a class or a provider that exists.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.options': [
    'A wrong or missing option is an error at start that names the option, its environment variables and the agent.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.named': [
    'Several named agents in one application have their own workspace, client, handlers and life.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.twice': [
    'Two modules that make the agent of one name are an error at start that names who imports them; one that is imported several times is one agent.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.directory': [
    'Two agents that keep their state in one directory are an error at start that names both.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.global': [
    'Other modules inject the agent and its client with isGlobal; the module without forRoot is an error at start.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.override': [
    'A test replaces the options, the client and the agent by overrideProvider.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.factory-extras': [
    'A name or isGlobal in what the factory of forRootAsync returns is an error at start that says where it belongs.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.options-are-not-read': [
    'Nest does not make a text of the options.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
});
