/**
 * Shows Markdown that somebody wrote. It becomes elements one by one, never HTML: what is HTML in it is shown as the text
 * that it is, and links lead only to where links may lead. Pictures from other hosts become links, since pages of the
 * portal ask nobody else.
 */
import { lexer, type Token, type Tokens } from 'marked';
import { type ReactNode, useMemo } from 'react';
import { linkTo, pictureFrom, plain, slugOf } from './allowed';
import classes from './Markdown.module.css';

export default function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => lexer(text), [text]);
  return <div className={classes.text}>{blocks(tokens)}</div>;
}

function blocks(tokens: Token[]): ReactNode[] {
  return tokens.map((token, index) => <Block key={index} token={token} />);
}

function inlines(tokens: Token[] | undefined): ReactNode[] {
  return (tokens ?? []).map((token, index) => <Inline key={index} token={token} />);
}

function Block({ token }: { token: Token }): ReactNode {
  switch (token.type) {
    case 'heading': {
      const { depth, tokens, text } = token as Tokens.Heading;
      // The page has a first heading of its own.
      const Heading = `h${Math.min(depth + 1, 6)}` as 'h2';
      return <Heading id={slugOf(text)}>{inlines(tokens)}</Heading>;
    }
    case 'paragraph':
      return <p>{inlines((token as Tokens.Paragraph).tokens)}</p>;
    case 'code':
      return (
        <pre tabIndex={0}>
          <code>{(token as Tokens.Code).text}</code>
        </pre>
      );
    case 'blockquote':
      return <blockquote>{blocks((token as Tokens.Blockquote).tokens)}</blockquote>;
    case 'list': {
      const { ordered, start, items } = token as Tokens.List;
      const children = items.map((item, index) => <li key={index}>{blocks(item.tokens)}</li>);
      return ordered ? <ol start={start === '' ? 1 : start}>{children}</ol> : <ul>{children}</ul>;
    }
    case 'table':
      return <Table table={token as Tokens.Table} />;
    case 'hr':
      return <hr />;
    case 'space':
    case 'def':
      return null;
    case 'html':
      return <p>{plain(token.raw)}</p>;
    default:
      return <Inline token={token} />;
  }
}

function Table({ table }: { table: Tokens.Table }) {
  return (
    <div className={classes.table} tabIndex={0} role="region" aria-label={plain(table.header[0]?.text ?? '')}>
      <table>
        <thead>
          <tr>
            {table.header.map((cell, index) => (
              <th key={index}>{inlines(cell.tokens)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column}>{inlines(cell.tokens)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Inline({ token }: { token: Token }): ReactNode {
  switch (token.type) {
    case 'strong':
      return <strong>{inlines(token.tokens)}</strong>;
    case 'em':
      return <em>{inlines(token.tokens)}</em>;
    case 'del':
      return <del>{inlines(token.tokens)}</del>;
    case 'codespan':
      return <code>{plain((token as Tokens.Codespan).text)}</code>;
    case 'br':
      return <br />;
    case 'link': {
      const { href, tokens } = token as Tokens.Link;
      const leads = linkTo(href);
      if (leads === undefined) return <>{inlines(tokens)}</>;
      const isElsewhere = /^https?:/.test(leads);
      return (
        <a href={leads} {...(isElsewhere ? { rel: 'noreferrer noopener', target: '_blank' } : {})}>
          {inlines(tokens)}
        </a>
      );
    }
    case 'image': {
      const { href, text } = token as Tokens.Image;
      const source = pictureFrom(href);
      if (source !== undefined) return <img src={source} alt={text} />;
      const leads = linkTo(href);
      if (leads === undefined) return text;
      return (
        <a href={leads} rel="noreferrer noopener" target="_blank">
          {text || leads}
        </a>
      );
    }
    case 'checkbox':
      return (
        <input type="checkbox" disabled checked={(token as Tokens.Checkbox).checked} readOnly aria-hidden />
      );
    case 'text':
    case 'escape': {
      const { tokens, text } = token as Tokens.Text;
      return tokens === undefined ? plain(text) : <>{inlines(tokens)}</>;
    }
    default:
      return plain(token.raw);
  }
}
