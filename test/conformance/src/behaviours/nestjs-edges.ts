import { behaviours } from './behaviour.ts';

/** The adapter for NestJS: what lies around the handlers of messages. */
export const NESTJS_EDGES = behaviours({
  'nestjs.push.express': [
    'On Express the application takes messages at the path of push by its own server, before body parsers, guards and the global prefix, which all other requests pass as before.',
    'docs/decisions/0118-nestjs-edges.md#push',
  ],
  'nestjs.push.fastify': [
    'On Fastify the application takes messages at the path of push by its own servers, before body parsers, guards and the global prefix, which all other requests pass as before.',
    'docs/decisions/0118-nestjs-edges.md#push',
  ],
  'nestjs.push.before-application': [
    'Middleware, CORS, hooks of Fastify and its check of Content-Type see no message, on each address on which the application listens; other requests, and listeners of the server that were there before, stay as they were.',
    'docs/decisions/0118-nestjs-edges.md#push',
  ],
  'nestjs.push.unfinished-request': [
    'An application that closes ends the requests to an agent that did not arrive as a whole when its handlers have ended, and refuses further ones.',
    'docs/decisions/0118-nestjs-edges.md#push',
  ],
  'nestjs.push.routes-below': [
    'Routes of the application at the path of push and below it get no requests; a route at that path is on Fastify an error at start that names the agent and the path.',
    'docs/decisions/0118-nestjs-edges.md#push',
  ],
  'nestjs.push.several-agents': [
    'Several agents have paths of their own on one server, also one below another; two with the same path are an error at start that names both.',
    'docs/decisions/0118-nestjs-edges.md#push',
  ],
  'nestjs.push.misconfigured': [
    'Push without a URL, a path or an HTTP server, or with a delivery that excludes it, is an error at start that names the option.',
    'docs/decisions/0118-nestjs-edges.md#push',
  ],
  'nestjs.service.calls': [
    'MoleculeService lists peers, calls them, reads their answers as a stream and as an Observable, sends without waiting, and writes to the user.',
    'docs/decisions/0118-nestjs-edges.md#calling-peers',
  ],
  'nestjs.service.conversation': [
    'What a handler sends to a peer by MoleculeService continues one conversation for each conversation that is handled, and an attempt that repeats the handler sends the same message.',
    'docs/decisions/0118-nestjs-edges.md#calling-peers',
  ],
  'nestjs.service.named': [
    'Each agent of an application has a MoleculeService of its own, injected by the name of the agent.',
    'docs/decisions/0118-nestjs-edges.md#calling-peers',
  ],
  'nestjs.service.tools': [
    'MoleculeService gives the tools for models of its agent.',
    'docs/decisions/0118-nestjs-edges.md#calling-peers',
  ],
  'nestjs.service.misused': [
    'Options of MoleculeService that are not an object, and metadata that is not JSON, are errors with a code, also of a stream and an Observable.',
    'docs/decisions/0118-nestjs-edges.md#calling-peers',
  ],
  'nestjs.service.unsubscribe': [
    'To unsubscribe from the Observable of an answer cancels the message; an answer that does not come to its end is an error of the Observable.',
    'docs/decisions/0118-nestjs-edges.md#calling-peers',
  ],
  'nestjs.peer-text.parameter': [
    'The text of a message reaches a parameter for models in a fence, that of a person as it is.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.pipe': [
    'A pipe takes the markers of the platform off texts, also deep in objects and lists, and refuses values without bounds.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.interceptor': [
    'An interceptor fences what peers wrote in the return value of a method that a model reads, and changes nothing else.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.forms': [
    'Only what core made is a reply, a message or a peer for the interceptor: data that a peer sent in such a form is fenced as a whole, without an origin that the peer could choose, and so are such values that were stored and read again.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.contents': [
    'The interceptor fences the response, the parts, and the data of the parts of a reply, each as one text of its peer, which does not count as values of the result.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.json': [
    'The interceptor goes through all that JSON sends: names of properties, what toJSON returns, properties of errors and tagged objects; copies of lists keep their holes.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.order': [
    'Values of an Observable leave the interceptor in their order, also after one that is a stream of an answer.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.status': [
    'The interceptor gives a model words of ours for a reply that failed, has not come, asks something or has no text, with the code of a failure, and files of an answer beside its text.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.nested-stream': [
    'The interceptor waits for streams of answers anywhere in a return value, and fences the whole text.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.peer-text.remembered': [
    'Texts of replies and streams of MoleculeService and MoleculeClientProxy are known to be of the peer where a method returns them without the reply; what only repeats what was sent is not.',
    'docs/decisions/0118-nestjs-edges.md#texts-of-peers',
  ],
  'nestjs.frameworks.langchain': [
    'A handler of LangChain in a method for messages of peers streams, goes on where it was after an error, gets the answers to its approvals, and is waited for at the shutdown.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.frameworks.ai-sdk': [
    'A handler of the AI SDK in a method for messages of peers streams, goes on where it was after an error, gets the answers to its approvals, and is waited for at the shutdown.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.health.half-dead': [
    'The health indicator is down for an agent that has not joined, has lost the platform or receives nothing, and up again when that is over.',
    'docs/decisions/0118-nestjs-edges.md#health',
  ],
  'nestjs.health.ended': [
    'The health of an agent whose start has ended for good has the code of the error, and @OnAgentEvent methods for start-failed get it.',
    'docs/decisions/0118-nestjs-edges.md#health',
  ],
  'nestjs.health.terminus': [
    'A health check of Terminus responds with 503 for an agent that is down, by the way of reporting that its version has.',
    'docs/decisions/0118-nestjs-edges.md#health',
  ],
  'nestjs.logger.bridge': [
    'Agents without a logger write to the Logger of Nest with the context Molecule, at its levels, without credentials and control characters.',
    'docs/decisions/0118-nestjs-edges.md#logs',
  ],
  'nestjs.errors.http-only': [
    'A global guard, interceptor or filter that throws a TypeError for a message is named once in a warning, with what to do; an error of a handler is not.',
    'docs/decisions/0118-nestjs-edges.md#logs',
  ],
  'nestjs.microservice.messages': [
    'The strategy runs the handlers of @MessagePattern for messages by the method of JSON-RPC, with the guards, pipes, interceptors and filters of a microservice; an Observable is streamed.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.microservice.events': [
    'The strategy runs the handlers of @EventPattern for events of the agent, and never for messages of that name.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.microservice.errors': [
    'An RpcException is final and reaches the sender as one sentence with its code, unless it says isRetryable, with and without MessageExceptionFilter; any other error is tried again.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.microservice.event-errors': [
    'With MessageExceptionFilter the agent logs an error of an @EventPattern method, without texts of the message.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.microservice.call-errors': [
    'An error of a call by the client proxy that leaves a method is tried again as any other, and its words do not reach the sender.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.microservice.hybrid': [
    'In a hybrid application the agent of a strategy starts when the application has and its microservice listens, and ends before the providers are destroyed.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.microservice.misconfigured': [
    'A strategy without an agent, for two agents, or with patterns that nothing has, is an error at start.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.microservice.client': [
    'The client proxy sends messages to peers: send gives the reply or the pieces of its text, emit resolves when the message is accepted, to unsubscribe cancels it, and errors are RpcExceptions with code and hint.',
    'docs/decisions/0118-nestjs-edges.md#microservices',
  ],
  'nestjs.testing.module': [
    'The testing module puts an agent of the application on a test platform that the caller gives, with peers that a test scripts.',
    'docs/decisions/0118-nestjs-edges.md#tests-of-applications',
  ],
  'nestjs.testing.without-platform': [
    'With doubles of the client, the agent and MoleculeService an application compiles and starts without options and a platform.',
    'docs/decisions/0118-nestjs-edges.md#tests-of-applications',
  ],
  'nestjs.testing.override': [
    'The options of the agent of an application are overridden by overrideProvider, and so is everything else.',
    'docs/decisions/0118-nestjs-edges.md#tests-of-applications',
  ],
});
