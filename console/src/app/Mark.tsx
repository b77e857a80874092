/** The product's sign: a gate. */
export function Mark({ size }: { size: number }) {
  const line = { fill: 'none', stroke: '#fff', strokeWidth: 2.6, strokeLinecap: 'round' as const };
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" fill="#3b44bf" />
      <path d="M8 25V14a8 8 0 0 1 16 0v11M16 6v19M11 17h10" {...line} />
    </svg>
  );
}
