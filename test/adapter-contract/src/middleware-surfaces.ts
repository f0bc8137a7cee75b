import { saying } from './scripted-model.ts';
import { isToBeFenced, requireInEach, type Surface } from './surface.ts';

/** Words that an application has put into a prompt, from wherever. */
export const MIDDLEWARE_SURFACES: readonly Surface[] = [
  {
    id: 'middleware',
    about:
      'a text in each kind of part of a prompt: fenced where it has a marker of the platform, else as it is',
    bring: async (stage, [hostile]) => {
      const { driver, model } = stage;
      if (hostile === undefined) return;
      model.script(() => saying('Done.'));
      await driver.promptParts?.({ model, text: hostile.text });
      requireInEach(model.prompts, [hostile]);
      if (isToBeFenced(hostile.text)) return;
      // In the value of a result it is JSON within JSON.
      const once = JSON.stringify(hostile.text).slice(1, -1);
      const forms = [once, JSON.stringify(once).slice(1, -1)];
      const changed = model.prompts.find(
        (prompt) => !forms.some((form) => JSON.stringify(prompt).includes(form)),
      );
      if (changed !== undefined)
        throw new Error(`A text without a marker was changed: ${JSON.stringify(changed)}`);
      model.prompts.length = 0;
    },
    expected: (_stage, { text }) => ({ shown: isToBeFenced(text) ? 'yes' : 'no' }),
  },
];
