import type { BaseMessage } from '@langchain/core/messages';
import { BaseTransformOutputParser } from '@langchain/core/output_parsers';
import { createMarkerRemover, removeBoundaryMarkers } from '@molecule-ai/core';

/**
 * Reads the text of a model's output, without the markers of the platform's trust boundary that the model repeated. All other
 * words stay. Streams: what cannot become a marker any more is passed on at once. Of message content in blocks it takes
 * the texts.
 *
 * @example
 * const chain = prompt.pipe(model).pipe(new StripBoundaryOutputParser());
 */
export class StripBoundaryOutputParser extends BaseTransformOutputParser<string> {
  static override lc_name(): string {
    return 'StripBoundaryOutputParser';
  }

  override lc_namespace = ['molecule_ai', 'langchain', 'output_parsers'];
  override lc_serializable = true;

  override _type(): string {
    return 'strip_boundary';
  }

  override async parse(text: string): Promise<string> {
    return removeBoundaryMarkers(text);
  }

  override getFormatInstructions(): string {
    return '';
  }

  override async *_transform(pieces: AsyncGenerator<string | BaseMessage>): AsyncGenerator<string> {
    const remover = createMarkerRemover();
    for await (const piece of pieces) {
      const text = remover.push(typeof piece === 'string' ? piece : this._baseMessageToString(piece));
      if (text !== '') yield text;
    }
    yield remover.end();
  }

  protected override _baseMessageContentToString(content: readonly { readonly type?: unknown }[]): string {
    return content
      .map((block) => ('text' in block && typeof block.text === 'string' ? block.text : ''))
      .join('');
  }
}
