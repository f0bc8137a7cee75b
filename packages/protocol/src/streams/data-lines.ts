const DATA_FIELD = 'data:';

/**
 * Leaves of a response of server-sent events, which arrives in pieces, the lines with data and the blank lines that end an event,
 * with `\n` as line ends. Comments and other fields cost a parser far more than their bytes, and nobody here reads them.
 */
export class DataLines {
  #line: 'begins' | 'data' | 'other' = 'begins';
  /** The beginning of a line that is too short to say which one it is. */
  #start = '';
  #hasData = false;
  #endedInReturn = false;

  /** Returns what is left of the next piece. */
  push(piece: string): string {
    const text = this.#withLineFeeds(piece);
    let left = '';
    let place = 0;
    while (place < text.length) {
      const end = text.indexOf('\n', place);
      left += this.#take(text.slice(place, end === -1 ? text.length : end), end !== -1);
      place = end === -1 ? text.length : end + 1;
    }
    return left;
  }

  #take(given: string, isLineEnd: boolean): string {
    let piece = given;
    if (this.#line === 'begins') {
      piece = this.#start + given;
      if (!isLineEnd && piece.length < DATA_FIELD.length && DATA_FIELD.startsWith(piece)) {
        this.#start = piece;
        return '';
      }
      this.#start = '';
      if (piece === '') return this.#endEvent();
      const isData = piece.startsWith(DATA_FIELD) || piece === 'data';
      this.#line = isData ? 'data' : 'other';
      this.#hasData ||= isData;
    }
    const isData = this.#line === 'data';
    if (isLineEnd) this.#line = 'begins';
    if (!isData) return '';
    return isLineEnd ? `${piece}\n` : piece;
  }

  #endEvent(): string {
    const end = this.#hasData ? '\n' : '';
    this.#hasData = false;
    return end;
  }

  /** A line may end with `\r\n` across two pieces. */
  #withLineFeeds(piece: string): string {
    if (piece === '') return '';
    const text = this.#endedInReturn && piece.startsWith('\n') ? piece.slice(1) : piece;
    this.#endedInReturn = piece.endsWith('\r');
    return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  }
}
