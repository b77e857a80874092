/** Renders a definition, as a consumer would read it. Calls are not made from here: the gateway is another origin. */
import 'rapidoc';
import { createElement, useEffect, useRef } from 'react';
import { parse } from 'yaml';
import { useColours } from '../../parts/editorColours';

interface RapiDoc extends HTMLElement {
  loadSpec(document: unknown): void;
}

export default function DefinitionViewer({ document }: { document: string }) {
  const place = useRef<RapiDoc>(null);
  const colours = useColours();
  useEffect(() => {
    place.current?.loadSpec(parse(document));
  }, [document]);
  const isDark = colours === 'dark';
  return createElement('rapi-doc', {
    ref: place,
    theme: colours,
    'bg-color': isDark ? '#181b21' : '#ffffff',
    'text-color': isDark ? '#e6e9ed' : '#1f2933',
    'primary-color': isDark ? '#a9b2ff' : '#3b44bf',
    'render-style': 'view',
    'load-fonts': 'false',
    'regular-font': 'system-ui, sans-serif',
    'mono-font': 'ui-monospace, monospace',
    'show-header': 'false',
    'allow-try': 'false',
    'allow-authentication': 'false',
    'allow-server-selection': 'false',
    'schema-description-expanded': 'true',
    'default-schema-tab': 'schema',
  });
}
