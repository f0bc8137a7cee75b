import { behaviours } from './behaviour.ts';

/** The adapter for NestJS: handlers of messages, their answers and errors. */
export const NESTJS_MESSAGES = behaviours({
  'nestjs.messages.method': [
    'A decorated method of a provider or controller handles messages, with what its parameter decorators name, else with the message and its context; its return value is the answer.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.precedence': [
    'Of several methods the one for the method of JSON-RPC handles a message, then the one for its sender, then the one for its kind of sender, then the one for all.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.unmatched': [
    'A message that no method handles ends as failed, no_handler.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.duplicates': [
    'Two methods for the same messages are an error at start that names both; one instance under several tokens is one.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.missing': [
    'An agent without a method, a method of an agent that does not exist, and what a decorator cannot take are errors at start.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.request': [
    'Providers that are made for each message get it as REQUEST, and handlers may be such providers.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.messages.events': [
    'Decorated methods are called with the events of the agent.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.answers.streamed': [
    'An AsyncIterable or Observable of texts is the answer, streamed to senders that read a stream and whole for all others, also through interceptors.',
    'docs/decisions/0117-nestjs.md#answers',
  ],
  'nestjs.answers.one-value': [
    'A value that an interceptor passes on is the answer as if the method had returned it: with parts, with questions, without a stream, or nothing.',
    'docs/decisions/0117-nestjs.md#answers',
  ],
  'nestjs.answers.abort': [
    'When a message is cancelled, the Observable or AsyncIterable of its answer is ended.',
    'docs/decisions/0117-nestjs.md#answers',
  ],
  'nestjs.answers.bounded': [
    'Of an Observable that gives more than an answer may have, no more is read, whether its values have a text or not.',
    'docs/decisions/0117-nestjs.md#answers',
  ],
  'nestjs.answers.many-pieces': [
    'An answer of many pieces takes time in proportion to their number, and keeps no piece that was streamed.',
    'docs/decisions/0117-nestjs.md#answers',
  ],
  'nestjs.answers.invalid': [
    'A message whose method returns something else than an answer fails at once.',
    'docs/decisions/0117-nestjs.md#answers',
  ],
  'nestjs.errors.for-the-caller': [
    'An HttpException of 4xx, an RpcException and a WsException of a guard, pipe, interceptor or method end the message as failed with their message as one sentence, without a retry.',
    'docs/decisions/0117-nestjs.md#errors',
  ],
  'nestjs.errors.secrets': [
    'The token of the agent and its secret for pushes are not in what a sender reads of an error, also where a long text is cut in the middle of them.',
    'docs/decisions/0117-nestjs.md#errors',
  ],
  'nestjs.errors.retried': [
    'Every other error is retried, and its words do not reach the sender.',
    'docs/decisions/0117-nestjs.md#errors',
  ],
  'nestjs.errors.log': [
    'An error of a method is in the log by core only, without texts of the message, also when a filter returns nothing or globalEnhancers is off.',
    'docs/decisions/0117-nestjs.md#errors',
  ],
  'nestjs.errors.filters': [
    'What an exception filter returns is the answer, also after an error in the middle of a stream; what it throws counts as thrown by the method.',
    'docs/decisions/0117-nestjs.md#errors',
  ],
  'nestjs.messages.unknown-method': [
    'A method for a method of JSON-RPC by which nobody can send a message is a warning at start that names it, also of a microservice.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.params.of-tasks': [
    'The params of a task reach @MessageParams() as their sender wrote them, by push as by long polling, so that a ValidationPipe with forbidNonWhitelisted takes them; those of message/send stay whole.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
  'nestjs.params.not-validated': [
    'A ValidationPipe that applies to @MessageParams() and validates nothing, because the type is not a class at run time, is a warning at start that names the method.',
    'docs/decisions/0117-nestjs.md#handlers',
  ],
});
