/** What the first page of the portal begins with. */
import { Title } from '@mantine/core';
import { isColor, shades } from '../../portal/brand';
import { LazyMarkdown } from '../../portal/parts/LazyMarkdown';
import { isObject, text } from '../apis/spec';
import type { Spec } from '../../api/assets';
import classes from './LookPreview.module.css';

const USUAL = '#3b44bf';

export function LookPreview({ spec }: { spec: Spec }) {
  const texts = isObject(spec.texts) ? spec.texts : {};
  const wanted = isObject(spec.colors) ? text(spec.colors.primary) : undefined;
  const background = isColor(wanted) ? shades(wanted)[7] : USUAL;
  const title = text(spec.title) ?? 'Developer portal';
  const logo = text(spec.logo);
  const [welcome, footer] = [text(texts.welcome), text(texts.footer)];
  return (
    <div className={classes.window}>
      <div className={classes.bar}>
        {logo !== undefined && <img src={logo} alt="" />}
        {title}
      </div>
      <div className={classes.hero}>
        <Title order={3} fz="1.7rem" mb="sm">
          {text(texts.headline) ?? title}
        </Title>
        {welcome !== undefined && <LazyMarkdown text={welcome} />}
        <span className={classes.button} style={{ background }}>
          APIs
        </span>
      </div>
      {footer !== undefined && (
        <div className={classes.foot}>
          <LazyMarkdown text={footer} />
        </div>
      )}
    </div>
  );
}
