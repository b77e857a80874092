/** Draws a chart over time with ECharts, in the colours of the page. */
import { useComputedColorScheme } from '@mantine/core';
import { BarChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TooltipComponent } from 'echarts/components';
import { type ECharts, init, use as withParts } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { useEffect, useRef } from 'react';
import { useTexts } from '../../i18n';
import type { ChartProps, Series } from './Chart';

withParts([BarChart, LineChart, GridComponent, TooltipComponent, LegendComponent, CanvasRenderer]);

const TONES: Record<Series['tone'], string> = {
  primary: '--mantine-primary-color-filled',
  good: '--gw-good',
  warn: '--gw-warn',
  bad: '--gw-bad',
  quiet: '--mantine-color-dimmed',
};

export default function TimeChart({
  label,
  kind,
  times,
  step,
  series,
  unit,
  height = 260,
  onReady,
}: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const ready = useRef(onReady);
  ready.current = onReady;
  const scheme = useComputedColorScheme();
  const { locale, number } = useTexts();

  useEffect(() => {
    if (place.current === null) return;
    const made = init(place.current);
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(place.current);
    ready.current?.(() => {
      const backgroundColor = colour(place.current, '--gw-panel');
      return made.getDataURL({ type: 'png', pixelRatio: 2, backgroundColor });
    });
    return () => {
      observer.disconnect();
      made.dispose();
    };
  }, []);

  useEffect(() => {
    const from = place.current;
    const [text, line] = [colour(from, '--mantine-color-dimmed'), colour(from, '--gw-line')];
    const parts: Intl.DateTimeFormatOptions =
      step === 'day' ? { day: 'numeric', month: 'short' } : { hour: '2-digit', minute: '2-digit' };
    const short = new Intl.DateTimeFormat(locale, parts);
    const long = new Intl.DateTimeFormat(
      locale,
      step === 'day' ? { dateStyle: 'full' } : { dateStyle: 'medium', timeStyle: 'short' },
    );
    const amount = (value: unknown) =>
      typeof value === 'number' ? `${number(value)}${unit === undefined ? '' : ` ${unit}`}` : '–';
    chart.current?.setOption(
      {
        animation: !window.matchMedia('(prefers-reduced-motion: reduce)').matches,
        textStyle: { fontFamily: 'inherit' },
        color: series.map(({ tone }) => colour(from, TONES[tone])),
        grid: { left: 8, right: 8, top: series.length > 1 ? 40 : 16, bottom: 4, containLabel: true },
        legend: {
          show: series.length > 1,
          left: 0,
          top: 0,
          icon: 'roundRect',
          itemWidth: 12,
          textStyle: { color: text },
        },
        tooltip: {
          trigger: 'axis',
          confine: true,
          backgroundColor: colour(from, '--gw-panel'),
          borderColor: line,
          textStyle: { color: colour(from, '--mantine-color-text') },
          valueFormatter: amount,
        },
        xAxis: {
          type: 'category',
          data: times.map((time) => long.format(time)),
          axisTick: { show: false },
          axisLine: { lineStyle: { color: line } },
          axisLabel: {
            color: text,
            hideOverlap: true,
            formatter: (_: string, index: number) => short.format(times[index]),
          },
        },
        yAxis: {
          type: 'value',
          min: 0,
          minInterval: unit === undefined ? 1 : 0,
          splitLine: { lineStyle: { color: line } },
          axisLabel: { color: text, formatter: amount },
        },
        series: series.map(({ name, values }) => ({
          name,
          data: values,
          ...(kind === 'bar'
            ? { type: 'bar', stack: 'all', barMaxWidth: 28 }
            : {
                type: 'line',
                showSymbol: values.includes(null),
                symbolSize: 5,
                smooth: 0.2,
                lineStyle: { width: 2 },
              }),
        })),
      },
      { notMerge: true },
    );
  }, [kind, times, step, series, unit, scheme, locale, number]);

  return <div ref={place} role="img" aria-label={label} style={{ height, width: '100%' }} />;
}

function colour(from: HTMLElement | null, variable: string): string {
  return getComputedStyle(from ?? document.documentElement)
    .getPropertyValue(variable)
    .trim();
}
