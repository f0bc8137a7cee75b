import { escapeFound } from './boundary.ts';
import type { TextStage } from './boundary-stream.ts';
import { createMarkerScanner, type MarkerScan } from './look-alikes.ts';

/**
 * Removes the boundary markers that a model repeated in its own text, and keeps all other words. Markers are those that are not
 * escaped, in any spelling of a look-alike. What becomes a marker because one inside it was removed gets a backslash, so the
 * result has no marker that is not escaped. Linear in the text's length.
 *
 * `stripA2aBoundary` is for a text that a peer wrote and the platform wrapped; it drops what is outside the markers.
 */
export function removeBoundaryMarkers(text: string): string {
  const remover = createMarkerRemover();
  return remover.push(text) + remover.end();
}

/**
 * {@link removeBoundaryMarkers} for a text that arrives in pieces: however it is cut, the result is that of the whole text. Held back
 * is only what may still become a look-alike of a marker.
 */
export function createMarkerRemover(): TextStage {
  const given = createMarkerScanner();
  const joined = createMarkerScanner();
  return {
    push: (piece) => escapeMarkers(joined.push(withoutMarkers(given.push(piece)))),
    end: () => escapeMarkers(joined.push(withoutMarkers(given.end()))) + escapeMarkers(joined.end()),
  };
}

function withoutMarkers({ text, lookAlikes }: MarkerScan): string {
  let kept = '';
  let copied = 0;
  for (const { start, end, escapes } of lookAlikes) {
    if (escapes > 0) continue;
    kept += text.slice(copied, start);
    copied = end;
  }
  return copied === 0 ? text : kept + text.slice(copied);
}

function escapeMarkers({ text, lookAlikes }: MarkerScan): string {
  return escapeFound(
    text,
    lookAlikes.filter(({ escapes }) => escapes === 0),
  );
}
