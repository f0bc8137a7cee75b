import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { initChatModel } from 'langchain';
import { ScriptedModel } from './scripted-model.ts';

/** The models of providers, by the variable with the key. */
const PROVIDERS: Readonly<Record<string, string>> = {
  OPENAI_API_KEY: 'openai:gpt-5-mini',
  ANTHROPIC_API_KEY: 'anthropic:claude-haiku-4-5',
};

export interface ChosenModel {
  readonly model: BaseChatModel;
  /** `undefined` with a provider's model. */
  readonly scripted: ScriptedModel | undefined;
}

/**
 * The model of a provider whose key is in the environment, else one that follows a script. `MODEL` names another one, as
 * `openai:gpt-5`. The package of the provider, `@langchain/openai` for instance, is not a dependency of this example.
 * @throws Error that names the package to install.
 */
export async function chooseModel(environment: NodeJS.ProcessEnv): Promise<ChosenModel> {
  const key = Object.keys(PROVIDERS).find((name) => (environment[name] ?? '') !== '');
  if (key === undefined) {
    const scripted = new ScriptedModel();
    return { model: scripted, scripted };
  }
  const model = await initChatModel(environment.MODEL ?? PROVIDERS[key]);
  return { model: model as unknown as BaseChatModel, scripted: undefined };
}
