/** An editor for YAML and JSON with problems at their lines. Loaded when it is first needed. */
import { json } from '@codemirror/lang-json';
import { yaml } from '@codemirror/lang-yaml';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { basicSetup } from 'codemirror';
import { useEffect, useRef } from 'react';
import { type Colours, editorColours, useColours } from './editorColours';

/** A problem at a place of the text. */
export interface Mark {
  from: number;
  to: number;
  message: string;
  severity: 'error' | 'warning';
}

export interface CodeEditorProps {
  value: string;
  label: string;
  language: 'yaml' | 'json';
  onChange?: (text: string) => void;
  marks?: Mark[];
  height?: string;
}

export default function CodeEditor({ value, label, language, onChange, marks, height }: CodeEditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const colouring = useRef(new Compartment());
  const changed = useRef(onChange);
  changed.current = onChange;
  const colours = useColours();
  const first = useRef({ value, colours });
  const readOnly = onChange === undefined;

  useEffect(() => {
    if (place.current === null) return;
    const extensions: Extension[] = [
      basicSetup,
      language === 'yaml' ? yaml() : json(),
      lintGutter(),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ 'aria-label': label }),
      EditorState.readOnly.of(readOnly),
      colouring.current.of(editorColours(first.current.colours)),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) changed.current?.(update.state.doc.toString());
      }),
    ];
    const state = EditorState.create({ doc: first.current.value, extensions });
    const made = new EditorView({ state, parent: place.current });
    view.current = made;
    return () => {
      first.current = { ...first.current, value: made.state.doc.toString() };
      made.destroy();
    };
  }, [language, label, readOnly]);

  useEffect(() => {
    const now = view.current;
    if (now === null || now.state.doc.toString() === value) return;
    now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    recolour(view.current, colouring.current, colours);
  }, [colours]);

  useEffect(() => {
    const now = view.current;
    if (now === null) return;
    const length = now.state.doc.length;
    const found: Diagnostic[] = (marks ?? []).map((mark) => ({
      ...mark,
      from: Math.min(mark.from, length),
      to: Math.min(mark.to, length),
    }));
    now.dispatch(setDiagnostics(now.state, found));
  }, [marks]);

  const style = { height: height ?? '60vh', overflow: 'auto' };
  return <div ref={place} className="gw-panel" style={style} />;
}

function recolour(view: EditorView | null, compartment: Compartment, colours: Colours) {
  view?.dispatch({ effects: compartment.reconfigure(editorColours(colours)) });
}
