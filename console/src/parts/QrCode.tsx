/** A QR code, drawn here: what is in it goes nowhere. */
import { useMemo } from 'react';

/** Light around it, without which it cannot be read (ISO/IEC 18004). */
const QUIET = 4;

interface Props {
  /** From top to bottom, `1` for what is dark. */
  rows: string[];
  label: string;
}

export function QrCode({ rows, label }: Props) {
  const dark = useMemo(
    () =>
      rows
        .flatMap((row, y) => [...row].map((cell, x) => (cell === '1' ? `M${x},${y}h1v1h-1z` : '')))
        .join(''),
    [rows],
  );
  const size = rows.length + 2 * QUIET;
  return (
    <svg
      role="img"
      aria-label={label}
      width={208}
      height={208}
      viewBox={`${-QUIET} ${-QUIET} ${size} ${size}`}
      shapeRendering="crispEdges"
    >
      {/* Dark on light in both colours of the page: many apps read nothing else. */}
      <rect x={-QUIET} y={-QUIET} width={size} height={size} fill="#fff" />
      <path d={dark} fill="#000" />
    </svg>
  );
}
