/** Colours, type and spacing; everything else is the component library's. */
import { Alert, Badge, type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

const gate: MantineColorsTuple = [
  '#eef0ff',
  '#dcdffb',
  '#b7bcf1',
  '#8f97e8',
  '#6e78e0',
  '#5a64dc',
  '#4a53d4',
  '#3b44bf',
  '#333cab',
  '#283097',
];

export const theme = createTheme({
  primaryColor: 'gate',
  primaryShade: { light: 7, dark: 6 },
  colors: { gate },
  autoContrast: true,
  respectReducedMotion: true,
  // Coloured words on their own light colour have too little contrast: the ground says it, the words are read.
  components: {
    Alert: Alert.extend({
      styles: { label: { color: 'var(--mantine-color-text)', whiteSpace: 'normal' }, body: { minWidth: 0 } },
    }),
    Badge: Badge.extend({ styles: { label: { color: 'var(--mantine-color-text)' } } }),
  },
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, monospace',
  headings: { fontWeight: '650', sizes: { h1: { fontSize: '1.5rem' }, h2: { fontSize: '1.125rem' } } },
});

/** White words on it can be read. */
const RED = { '--mantine-color-red-filled': '#c92a2a', '--mantine-color-red-filled-hover': '#b02525' };

/** Colours that keep a contrast of 4.5 to their background (WCAG 2.2 AA), which the library's own do not. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...RED,
    '--mantine-color-dimmed': '#59636e',
    '--mantine-color-placeholder': '#6b7580',
    '--mantine-color-error': '#c21f1f',
    '--gw-canvas': '#f7f8fa',
    '--gw-panel': '#ffffff',
    '--gw-line': '#e3e6ea',
    '--gw-good': '#1b7a3d',
    '--gw-bad': '#c21f1f',
    '--gw-warn': '#8f5600',
  },
  dark: {
    ...RED,
    '--mantine-color-body': '#14161b',
    '--mantine-color-dimmed': '#a2abb6',
    '--mantine-color-placeholder': '#949da8',
    '--mantine-color-error': '#ff8080',
    '--gw-canvas': '#0f1115',
    '--gw-panel': '#181b21',
    '--gw-line': '#2a2f38',
    '--gw-good': '#5fd08a',
    '--gw-bad': '#ff8080',
    '--gw-warn': '#f2b457',
  },
});
