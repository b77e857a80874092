/** Colours of the editor, for light and dark, with a contrast that can be read. */
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useComputedColorScheme } from '@mantine/core';

export type Colours = 'light' | 'dark';

export function useColours(): Colours {
  return useComputedColorScheme('light');
}

const PALETTE = {
  light: {
    key: '#333cab',
    text: '#1b6b3a',
    number: '#9a4a00',
    quiet: '#59636e',
    line: '#eef0ff',
    gone: '#f9c4c2',
    plain: '#1f2933',
  },
  dark: {
    key: '#a9b2ff',
    text: '#8fdcaa',
    number: '#f2b457',
    quiet: '#a2abb6',
    line: '#20242d',
    gone: '#6b2626',
    plain: '#e6e9ed',
  },
};

export function editorColours(colours: Colours): Extension {
  const palette = PALETTE[colours];
  const style = HighlightStyle.define([
    { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: palette.key },
    { tag: [tags.string, tags.content], color: palette.text },
    { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.atom], color: palette.number },
    { tag: [tags.comment, tags.meta, tags.punctuation, tags.separator], color: palette.quiet },
  ]);
  const frame = EditorView.theme(
    {
      '&': { backgroundColor: 'transparent', color: 'inherit', fontSize: '13px', height: '100%' },
      '.cm-content, .cm-gutters': { fontFamily: 'var(--mantine-font-family-monospace)' },
      '.cm-content': { caretColor: 'currentColor' },
      '.cm-gutters': { backgroundColor: 'transparent', color: palette.quiet, border: 'none' },
      '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: palette.line },
      '.cm-deletedChunk': { paddingLeft: '6px' },
      '.cm-deletedChunk .cm-deletedText': { background: palette.gone },
      '.cm-deletedChunk, .cm-deletedChunk *': { color: palette.plain },
      '&.cm-focused': { outline: '2px solid var(--mantine-primary-color-filled)', outlineOffset: '-2px' },
    },
    { dark: colours === 'dark' },
  );
  return [frame, syntaxHighlighting(style)];
}
