import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { mount } from '../http/mount.ts';
import type { QuestionsService } from './questions.service.ts';

/** Questions over HTTP: listed, asked about a direct message, answered by people and operators. */
export function mountQuestionsRoutes(app: FastifyInstance, questions: QuestionsService): void {
  mount(app, routes.listQuestions, async ({ params, query }) => ({
    questions: await questions.list(params.id, query.state),
  }));

  mount(app, routes.askQuestions, async ({ params, body }) => ({
    questions: await questions.ask(params.id, body),
  }));

  mount(app, routes.answerQuestion, async ({ params, body, caller }) => {
    // A session is a person in the browser; the operator key may be a program.
    const by = caller.via === 'session' ? 'user' : 'operator';
    return { status: 'answered', question: await questions.answer(params.id, params.questionId, body, by) };
  });
}
