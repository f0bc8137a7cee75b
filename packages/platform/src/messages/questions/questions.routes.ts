import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { mount, wholeNumber } from '../../http/mount.ts';
import { passedHeaders } from '../request.ts';
import type { QuestionsService } from './questions.service.ts';

const DEFAULT_PAGE = 100;
const MAX_PAGE = 200;

/** Questions over HTTP: listed, asked about a direct message, answered by people and operators. */
export function mountQuestionsRoutes(app: FastifyInstance, questions: QuestionsService): void {
  mount(app, routes.listQuestions, async ({ params, query: { state, limit, offset } }) => {
    const page = await questions.list(params.id, {
      state,
      limit: wholeNumber(limit, { fallback: DEFAULT_PAGE, min: 1, max: MAX_PAGE }),
      offset: wholeNumber(offset, { fallback: 0, min: 0, max: Number.MAX_SAFE_INTEGER }),
    });
    return { questions: page.questions, has_more: page.hasMore };
  });

  mount(app, routes.askQuestions, async ({ params, body, request }) => ({
    questions: await questions.ask(params.id, body, passedHeaders(request.headers)),
  }));

  mount(app, routes.answerQuestion, async ({ params, body, caller }) => {
    // A session is a person in the browser; the operator key may be a program.
    const by = caller.via === 'session' ? 'user' : 'operator';
    return { status: 'answered', question: await questions.answer(params.id, params.questionId, body, by) };
  });
}
