import { decide } from '@molecule-tests/harness';
import { MockLanguageModelV4 } from 'ai/test';

type Generate = InstanceType<typeof MockLanguageModelV4>['doGenerate'];
type Prompt = Parameters<Generate>[0]['prompt'];

const usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

/** An AI SDK language model that follows the script. `askColleague` is the only tool it knows. */
export function scriptedLanguageModel(): MockLanguageModelV4 {
  return new MockLanguageModelV4({
    provider: 'scripted',
    modelId: 'scripted',
    doGenerate: async ({ prompt }) => {
      const step = decide({
        instructions: textOf(prompt, 'system') ?? '',
        question: textOf(prompt, 'user') ?? '',
        toolResult: textOf(prompt, 'tool'),
      });
      if ('say' in step) {
        return {
          content: [{ type: 'text', text: step.say }],
          finishReason: { unified: 'stop', raw: undefined },
          usage,
          warnings: [],
        };
      }
      const input = JSON.stringify({ question: step.ask });
      return {
        content: [{ type: 'tool-call', toolCallId: crypto.randomUUID(), toolName: 'askColleague', input }],
        finishReason: { unified: 'tool-calls', raw: undefined },
        usage,
        warnings: [],
      };
    },
  });
}

function textOf(prompt: Prompt, role: Prompt[number]['role']): string | undefined {
  const message = prompt.findLast((entry) => entry.role === role);
  if (message === undefined || message.role === 'system') return message?.content;
  return message.content
    .map((part) => {
      if (part.type === 'text') return part.text;
      return part.type === 'tool-result' && part.output.type === 'text' ? part.output.value : '';
    })
    .join('\n');
}
