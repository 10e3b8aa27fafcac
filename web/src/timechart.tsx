// A chart of what a rule measures: the least and the greatest value of each time, the limit, and when it fires.
import { useState } from "preact/hooks";
import { valueOf } from "./bits";
import { useWidth } from "./use";
import { dateTime, say } from "./words";

export interface Point {
  at: string;
  low: number;
  high: number;
}

export interface Measured {
  from: string;
  until: string;
  /** How long the time of each point is. */
  seconds: number;
  points: Point[];
  threshold: number;
  recover: number | null;
  unit: string;
}

interface Props {
  label: string;
  measured: Measured;
  /** When it fires. */
  spans: { began: string; ended: string | null }[];
  zone: string | undefined;
  table: boolean;
  height?: number;
}

const [TOP, BOTTOM, RIGHT] = [14, 26, 8];
const ms = (at: string) => new Date(at).getTime();

/** The round numbers of an axis that has room for these values. */
function scale(least: number, most: number): number[] {
  const raw = Math.max((most - least) / 4, 1e-9);
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * size).find((n) => n >= raw)!;
  const first = Math.floor(least / step);
  const last = Math.max(Math.ceil(most / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, n) => (first + n) * step);
}

export function TimeChart(props: Props) {
  return props.table ? <Table {...props} /> : <Drawn {...props} />;
}

function Drawn({ label, measured, spans, zone, height = 232 }: Props) {
  const [box, width] = useWidth();
  const [at, setAt] = useState<number>();
  const { points, threshold, unit } = measured;
  const values = points.flatMap((point) => [point.low, point.high]);
  const levels = scale(Math.min(0, threshold, ...values), Math.max(threshold, 0, ...values) * 1.04 || 1);
  const [least, most] = [levels[0]!, levels.at(-1)!];
  const names = levels.map((level) => valueOf(level, ""));
  const left = 18 + Math.max(...names.map((name) => name.length)) * 7;
  const floor = height - BOTTOM;
  const [from, until] = [ms(measured.from), ms(measured.until)];
  const x = (time: number) => left + ((width - left - RIGHT) * (Math.min(Math.max(time, from), until) - from)) / Math.max(until - from, 1);
  const y = (value: number) => floor - ((floor - TOP) * (value - least)) / (most - least);
  const middle = (point: Point) => ms(point.at) + measured.seconds * 500;
  // A line ends where nothing was measured.
  const runs: Point[][] = [];
  points.forEach((point, n) => {
    const before = points[n - 1];
    if (before && ms(point.at) - ms(before.at) <= measured.seconds * 1500) runs.at(-1)!.push(point);
    else runs.push([point]);
  });
  const line = (run: Point[], of: (point: Point) => number) => run.map((point, n) => `${n ? "L" : "M"}${x(middle(point)).toFixed(1)} ${y(of(point)).toFixed(1)}`).join("");
  const back = (run: Point[]) => [...run].reverse().map((point) => `L${x(middle(point)).toFixed(1)} ${y(point.low).toFixed(1)}`).join("");
  const isLong = until - from > 36 * 3_600_000;
  const ticks = Math.max(2, Math.min(6, Math.floor((width - left) / 130)));
  const shown = at === undefined ? undefined : points[at];
  const key = (event: KeyboardEvent) => {
    const last = points.length - 1;
    const now = at ?? last;
    const to = { ArrowLeft: now - 1, ArrowRight: at === undefined ? now : now + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setAt(Math.min(last, Math.max(0, to)));
  };
  const place = (event: MouseEvent) => {
    if (!points.length) return;
    const wanted = event.clientX - box.current!.getBoundingClientRect().left;
    const near = points.reduce((best, point, n) => (Math.abs(x(middle(point)) - wanted) < Math.abs(x(middle(points[best]!)) - wanted) ? n : best), 0);
    setAt(near);
  };
  return (
    <div class="graph timed" ref={box} style={{ height: `${height}px` }} data-points={points.length} data-spans={spans.length}>
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="application" aria-label={label} tabindex={0} onKeyDown={key} onMouseMove={place} onMouseLeave={() => setAt(undefined)}>
        {levels.map((level, n) => (
          <g key={n}>
            <line class={level === 0 ? "axis floor" : "axis"} x1={left} x2={width} y1={y(level)} y2={y(level)} />
            <text x={left - 10} y={y(level) + 4} text-anchor="end">{names[n]}</text>
          </g>
        ))}
        {spans.map((span, n) => {
          const [begin, end] = [x(ms(span.began)), span.ended ? x(ms(span.ended)) : width - RIGHT];
          return <rect key={n} class="fired" x={begin} y={TOP} width={Math.max(end - begin, 2)} height={floor - TOP} />;
        })}
        {Array.from({ length: ticks }, (_, n) => {
          const time = from + ((until - from) * n) / (ticks - 1);
          return (
            <text key={n} x={x(time)} y={height - 6} text-anchor={n === 0 ? "start" : n === ticks - 1 ? "end" : "middle"}>
              {tickName(new Date(time), isLong, zone)}
            </text>
          );
        })}
        {runs.map((run, n) => (run.length > 1 ? (
          <g key={n}>
            <path class="band" d={`${line(run, (point) => point.high)}${back(run)}Z`} />
            <path class="line" d={line(run, (point) => point.high)} />
          </g>
        ) : <circle key={n} class="dot" cx={x(middle(run[0]!))} cy={y(run[0]!.high)} r="3" />))}
        <line class="limit" x1={left} x2={width} y1={y(threshold)} y2={y(threshold)} />
        <text class="limit-name" x={left + 4} y={y(threshold) - 6}>
          {say("threshold", valueOf(threshold, unit))}
        </text>
        {shown && <line class="cross" x1={x(middle(shown))} x2={x(middle(shown))} y1={TOP} y2={floor} />}
        {shown && <circle class="dot" cx={x(middle(shown))} cy={y(shown.high)} r="5" />}
      </svg>
      <div class={shown ? (x(middle(shown)) > width / 2 ? "tip left" : "tip") : "tip off"} style={shown ? { transform: `translateX(${x(middle(shown))}px)` } : undefined} aria-live="polite">
        {shown && (
          <div>
            <b>{dateTime(shown.at, zone, measured.seconds < 60)}</b>
            <p>
              <i class="key" />
              <span>{say("value_of")}</span>
              <strong>{range(shown, unit)}</strong>
            </p>
          </div>
        )}
      </div>
    </div>
  );
}

const range = (point: Point, unit: string) => (point.low === point.high ? valueOf(point.high, unit) : `${valueOf(point.low, "")} – ${valueOf(point.high, unit)}`);

function tickName(time: Date, isLong: boolean, zone: string | undefined): string {
  const all = dateTime(time.toISOString(), zone);
  if (!isLong) return new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(zone && { timeZone: zone }) }).format(time);
  return all.replace(/,?\s*\d\d:\d\d$/, "");
}

function Table({ label, measured, zone }: Props) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">{say("time")}</th>
            <th scope="col">{say("low_high")}</th>
          </tr>
        </thead>
        <tbody>
          {measured.points.map((point) => (
            <tr key={point.at}>
              <th scope="row">{dateTime(point.at, zone, measured.seconds < 60)}</th>
              <td>{range(point, measured.unit)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
