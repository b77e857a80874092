/** A call in six languages. The one that somebody chose last is shown everywhere. */
import { ActionIcon, CopyButton } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { type KeyboardEvent, useId } from 'react';
import { useTexts } from '../../i18n';
import { LANGUAGES, type Language, type Sample, sampleIn } from '../definition/samples';
import { usePortalTexts } from '../i18n';
import classes from './Samples.module.css';

export function Samples({ sample }: { sample: Sample }) {
  const { p } = usePortalTexts();
  const id = useId();
  const [chosen, choose] = useLocalStorage<Language>({
    key: 'gatewright.portal.language',
    defaultValue: 'curl',
  });
  const language = LANGUAGES.find((known) => known === chosen) ?? 'curl';
  const text = sampleIn(language, sample);
  const move = (event: KeyboardEvent<HTMLElement>) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = LANGUAGES.at((LANGUAGES.indexOf(language) + step) % LANGUAGES.length) ?? 'curl';
    choose(next);
    document.getElementById(`${id}-${next}`)?.focus();
  };
  return (
    <div className={classes.box}>
      <div className={classes.head}>
        <div role="tablist" aria-label={p('samples')} style={{ display: 'flex' }}>
          {LANGUAGES.map((known) => (
            <button
              key={known}
              id={`${id}-${known}`}
              type="button"
              role="tab"
              aria-selected={known === language}
              aria-controls={`${id}-code`}
              tabIndex={known === language ? 0 : -1}
              className={classes.language}
              onClick={() => choose(known)}
              onKeyDown={move}
            >
              {known}
            </button>
          ))}
        </div>
        <Copy text={text} />
      </div>
      <pre id={`${id}-code`} role="tabpanel" aria-label={language} className={classes.code} tabIndex={0}>
        {text}
      </pre>
    </div>
  );
}

function Copy({ text }: { text: string }) {
  const { t } = useTexts();
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <ActionIcon
          variant="transparent"
          className={classes.copy ?? ''}
          onClick={copy}
          aria-label={t(copied ? 'copied' : 'copy')}
        >
          {copied ? <IconCheck size={17} /> : <IconCopy size={17} />}
        </ActionIcon>
      )}
    </CopyButton>
  );
}
