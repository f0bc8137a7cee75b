import { behaviours } from './behaviour.ts';

export const NESTJS = behaviours({
  'nestjs.versions': [
    'Applications of NestJS 10, 11 and 12 work with the package, as CommonJS and as ES modules.',
    'docs/decisions/0118-nestjs-edges.md#module-formats; docs/decisions/0117-nestjs.md#modules',
    'test:versions',
  ],
  'nestjs.modules.option-sources': [
    'The options of an agent come unchanged from forRoot, a factory, a class or a provider.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.options': [
    'A wrong or missing setting of a NestJS agent is an error at start that names it.',
    'docs/decisions/0117-nestjs.md#modules; docs/decisions/0118-nestjs-edges.md#push',
  ],
  'nestjs.modules.named': [
    'A NestJS application can have several agents, each with a name, workspace, client and handlers of its own.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.modules.global': [
    'With isGlobal, other modules of the application inject the agent and its client.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.lifecycle.after-bootstrap': [
    'No message is handled before the NestJS application has started.',
    'docs/decisions/0117-nestjs.md#start',
  ],
  'nestjs.lifecycle.manual-start': [
    'With manualStart the application does not start its agent.',
    'docs/decisions/0117-nestjs.md#start',
  ],
  'nestjs.lifecycle.platform-down': [
    'A NestJS application starts although the platform is down, its agent joining later.',
    'docs/decisions/0117-nestjs.md#start',
  ],
  'nestjs.lifecycle.drains-first': [
    'A NestJS application that closes finishes running messages before it destroys providers or closes the client.',
    'docs/decisions/0117-nestjs.md#shutdown',
  ],
  'nestjs.lifecycle.nothing-stays': [
    'A NestJS application that was closed or failed to start leaves nothing running.',
    'docs/decisions/0117-nestjs.md#shutdown; docs/decisions/0117-nestjs.md#start',
  ],
  'nestjs.health': [
    'The NestJS health indicator reports an agent that cannot receive messages as down.',
    'docs/decisions/0118-nestjs-edges.md#health',
  ],
  'nestjs.messages.method': [
    'A decorated method of a provider or controller answers messages with its return value.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.precedence': [
    'Of several methods, the one with the most specific decorator handles a message.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.unmatched': [
    'A message that no method handles fails with the code no_handler.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.request': [
    'Request-scoped providers are made for each message and get it as REQUEST.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.events': [
    'Decorated methods are called with the events of the agent.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.wrong-handlers': [
    'A NestJS handler, enhancer or decorator that could not work is an error at start.',
    'docs/decisions/0117-nestjs.md#handlers; docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.messages.warnings': [
    'NestJS handlers and enhancers that do not suit messages are named in a warning.',
    'docs/decisions/0117-nestjs.md#handlers; docs/decisions/0118-nestjs-edges.md#logs',
  ],
  'nestjs.messages.cancelled': [
    'A message that is cancelled stops being handled, even in a guard that never decides.',
    'docs/decisions/0117-nestjs.md#answers; docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.frameworks': [
    'LangChain and AI SDK handlers work in NestJS methods, with streams, redelivery and approvals.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.enhancers.all': [
    'Guards, pipes, interceptors and filters run once for each message, global ones unless globalEnhancers is false.',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.enhancers.parameters': [
    'Pipes apply to the text and the params of a message, as the sender wrote them.',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.enhancers.interceptors': [
    'An interceptor can repeat or end a method and replace or change its answer.',
    'docs/decisions/0117-nestjs.md#enhancers; docs/decisions/0117-nestjs.md#answers',
  ],
  'nestjs.skills': [
    'A method of @Skill gets the data of messages that name it, validated by a class or a schema, and a call to a skill is typed.',
    'docs/decisions/0055-structured-data.md#skills',
  ],
  'nestjs.disabled': [
    'In a test, the agent of an application joins no workspace unless a test platform is given.',
    'docs/decisions/0053-test-platform.md#tests-that-start-an-application',
  ],
  'nestjs.answers.handlers': [
    'Answers go to methods with @OnAnswer(), and never to methods for messages.',
    'docs/decisions/0054-answers-have-a-handler.md; docs/decisions/0117-nestjs.md#answers',
  ],
  'nestjs.answers.streamed': [
    'A method can return an AsyncIterable or an Observable of texts, which is streamed.',
    'docs/decisions/0117-nestjs.md#answers',
  ],
  'nestjs.errors.for-the-caller': [
    'A 4xx HttpException, a WsException or a final RpcException fails its message at once with its text.',
    'docs/decisions/0117-nestjs.md#errors; docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.errors.retried': [
    'An error that was not written for the sender is retried without showing its text.',
    'docs/decisions/0117-nestjs.md#errors',
  ],
  'nestjs.errors.filters': [
    'An exception filter can answer a message whose method failed, or throw another error in its place.',
    'docs/decisions/0117-nestjs.md#errors',
  ],
  'nestjs.errors.secrets': [
    'No error that a sender reads contains the token of the agent or its secret for pushes.',
    'docs/decisions/0117-nestjs.md#errors',
  ],
  'nestjs.logger.bridge': [
    'Agents without a logger write to the Logger of Nest, without credentials.',
    'docs/decisions/0118-nestjs-edges.md#logs',
  ],
  'nestjs.push.own-server': [
    'A NestJS application takes pushed messages on its own server, before its middleware and routes.',
    'docs/decisions/0118-nestjs-edges.md#push',
  ],
  'nestjs.service.calls': [
    'A provider calls peers, writes to the user and gets the tools for models through MoleculeService.',
    'docs/decisions/0118-nestjs-edges.md#calling-peers',
  ],
  'nestjs.service.conversation': [
    'What a handler sends by MoleculeService continues one conversation and is not sent again by the next attempt.',
    'docs/decisions/0118-nestjs-edges.md#calling-peers',
  ],
  'nestjs.service.unsubscribe': [
    'Unsubscribing from the Observable of an answer cancels the message.',
    'docs/decisions/0118-nestjs-edges.md#calling-peers',
  ],
  'nestjs.microservice.handlers': [
    'The microservice strategy calls @MessagePattern methods with messages and @EventPattern methods with events.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.microservice.client': [
    'The client proxy of microservices sends messages to peers by send and emit.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.peer-text.parameter': [
    'A parameter for models gets text of a peer marked as untrusted, and text of a person unchanged.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.pipe': [
    'A pipe removes boundary markers from texts, also deep in objects and lists.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.interceptor': [
    'An interceptor marks all that peers wrote in a return value for a model as untrusted.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.status': [
    'For a reply that has no text, the interceptor tells the model why in fixed words.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.testing.module': [
    'The testing module runs an agent of a NestJS application on a test platform, with scripted peers.',
    'docs/decisions/0118-nestjs-edges.md#tests-of-applications',
  ],
  'nestjs.testing.override': [
    'A test of a NestJS application can replace the options, client, agent and MoleculeService.',
    'docs/decisions/0118-nestjs-edges.md#tests-of-applications; docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.test-runners': [
    'The Jest or vitest of a NestJS application runs its tests with the package.',
    'docs/decisions/0118-nestjs-edges.md#module-formats',
    'test:versions',
  ],
});
