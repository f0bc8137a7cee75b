import { ConfigurationError, MessageFailure } from '@molecule-ai/core';
import { APICallError, LoadAPIKeyError, NoSuchModelError } from 'ai';

/** Errors whose classes not all versions of the AI SDK export, such as those of the gateway. */
const NAMES =
  /^(AI_(UnsupportedModelVersion|LoadSetting)Error|Gateway(Authentication|Forbidden|ModelNotFound)?Error)$/;
/** No or a wrong key, a model that the key may not use, no such model. */
const STATUSES: ReadonlySet<number | undefined> = new Set([401, 403, 404]);

/** The failure for an error of a provider that has no such model, or no key for it; `undefined` for any other. */
export function noModelFailure(error: unknown): MessageFailure | undefined {
  const isMissing =
    LoadAPIKeyError.isInstance(error) ||
    NoSuchModelError.isInstance(error) ||
    (APICallError.isInstance(error) && STATUSES.has(error.statusCode)) ||
    (error instanceof Error && NAMES.test(error.name));
  return isMissing
    ? new MessageFailure('The agent has no model.', { code: 'no_model', cause: error })
    : undefined;
}

/** For settings of an agent without a model, or with something else. */
export function wrongModel(model: unknown): ConfigurationError {
  const problem =
    model === undefined ? 'is missing.' : 'must be a language model of the AI SDK, or the id of one.';
  return new ConfigurationError(`\`model\` ${problem}`, {
    hint: 'Pass what a provider returns, such as openai("gpt-5"), or an id for the AI Gateway: "openai/gpt-5".',
  });
}
