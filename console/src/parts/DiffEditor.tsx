/** What changes from one text to the other. Loaded when it is first needed. */
import { yaml } from '@codemirror/lang-yaml';
import { unifiedMergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { minimalSetup } from 'codemirror';
import { useEffect, useRef } from 'react';
import { editorColours, useColours } from './editorColours';

interface Props {
  before: string;
  after: string;
  label: string;
}

export default function DiffEditor({ before, after, label }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const colours = useColours();
  useEffect(() => {
    if (place.current === null) return;
    const extensions = [
      minimalSetup,
      yaml(),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ 'aria-label': label }),
      EditorState.readOnly.of(true),
      editorColours(colours),
      unifiedMergeView({
        original: before,
        mergeControls: false,
        highlightChanges: true,
        collapseUnchanged: { margin: 3, minSize: 6 },
      }),
    ];
    const view = new EditorView({
      state: EditorState.create({ doc: after, extensions }),
      parent: place.current,
    });
    return () => view.destroy();
  }, [before, after, label, colours]);
  return <div ref={place} className="gw-panel" style={{ maxHeight: '50vh', overflow: 'auto' }} />;
}
