// The graph: a line over time, the time before as a dashed line, and a table of the same numbers.
import { useEffect, useId, useState } from "preact/hooks";
import { type Answer, type Row, value } from "./api";
import { asked, between, intervals } from "./days";
import { exact, top, written } from "./metric";
import type { Metric, View } from "./view";
import { axisName, fullName, say } from "./words";
import { Change } from "./tiles";
import { useWidth } from "./use";

const HEIGHT = 264;
const [TOP, BOTTOM, LEFT, RIGHT] = [12, 28, 8, 8];

interface Props {
  answer: Answer;
  metric: Metric;
  table: boolean;
  /** What the metric is called, if it has another name. */
  name?: string;
  /** A point was chosen. */
  open: (at: string) => void;
}

/** How many days a period has, before an answer says so. */
export const guess = (period: string) => {
  const [from, until] = asked(period, undefined).split("..");
  if (from && until) return between(from, until);
  return period === "today" ? 1 : period === "month" ? 31 : Number(period.slice(0, -1));
};

/** What is chosen, or what fits the period. */
export const intervalOf = (view: View) => view.interval || intervals(guess(view.period))[0]!;

export function Chart(props: Props) {
  const { answer, metric } = props;
  if (answer.hasNoViews && answer.points.every((point) => of(metric, point) === undefined)) return <p class="graph nothing">{say("no_views")}</p>;
  return props.table ? <Table {...props} /> : <Graph {...props} />;
}

/** The points of days on which something happened, and what: the first point of a day, where its hours are shown. */
function happenedAt({ points, happened }: Answer): Map<number, string[]> {
  const all = new Map<number, string[]>();
  for (const { day, text } of happened) {
    const at = points.findIndex(({ name }) => name.slice(0, 10) === day || name === day.slice(0, 7));
    if (at >= 0) all.set(at, [...(all.get(at) ?? []), text]);
  }
  return all;
}

const of = (metric: Metric, row: Row | undefined) => row && value(metric, row.counts);

function Graph({ answer, metric, name: called = say(metric), open }: Props) {
  const [box, width] = useWidth();
  const fall = useId();
  const [at, setAt] = useState<number>();
  const { points } = answer;
  // New numbers of the same time leave the reader where they are.
  useEffect(() => setAt(undefined), [points.length, points[0]?.name, metric]);

  const happened = happenedAt(answer);
  const before = answer.before?.points ?? [];
  const count = Math.max(points.length, 1);
  const values = points.map((point) => of(metric, point) ?? 0);
  const earlier = before.slice(0, count).map((point) => of(metric, point) ?? 0);
  const most = top(metric, Math.max(...values, ...earlier, 0));
  const floor = HEIGHT - BOTTOM;
  const names = [0, 1, 2, 3, 4].map((part) => written(metric, (most / 4) * part));
  const left = LEFT + Math.max(...names.map((name) => name.length)) * 7 + 8;
  const step = (width - left - RIGHT) / Math.max(count - 1, 1);
  const x = (n: number) => (count === 1 ? (left + width) / 2 : left + step * n);
  const y = (n: number) => floor - ((floor - TOP) * n) / most;
  const line = (all: number[], from = 0) => all.map((n, i) => `${i ? "L" : "M"}${x(from + i).toFixed(1)} ${y(n).toFixed(1)}`).join("");
  // What goes on still is another line: it will grow.
  const isOpen = !answer.isOver && count > 1;
  const whole = isOpen ? values.slice(0, -1) : values;
  const isOneDay = points.length > 0 && points[0]!.name.slice(0, 10) === points[count - 1]!.name.slice(0, 10);
  const every = Math.max(1, Math.ceil(count / Math.max(2, Math.floor((width - left) / 92))));

  const place = (event: MouseEvent) => {
    const from = box.current!.getBoundingClientRect().left;
    setAt(Math.min(count - 1, Math.max(0, Math.round((event.clientX - from - left) / step))));
  };
  const key = (event: KeyboardEvent) => {
    const now = at ?? count - 1;
    const to = { ArrowLeft: now - 1, ArrowRight: at === undefined ? now : now + 1, Home: 0, End: count - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      setAt(Math.min(count - 1, Math.max(0, to)));
    } else if (event.key === "Enter" && at !== undefined) open(points[at]!.name);
    else if (event.key === "Escape" && at !== undefined) {
      event.stopPropagation();
      setAt(undefined);
    }
  };
  const shown = at === undefined ? undefined : points[at];
  const label = say("chart_of", called, points.length ? `${fullName(points[0]!.name)} – ${fullName(points[count - 1]!.name)}` : "");
  return (
    <div class="graph" ref={box}>
      <svg
        width={width}
        height={HEIGHT}
        viewBox={`0 0 ${width} ${HEIGHT}`}
        role="application"
        aria-label={label}
        tabindex={0}
        onKeyDown={key}
        onMouseMove={place}
        onMouseLeave={() => setAt(undefined)}
        onClick={() => shown && open(shown.name)}
      >
        <defs>
          <linearGradient id={fall} x1="0" x2="0" y1="0" y2="1">
            <stop class="fall" offset="0" />
            <stop class="fall end" offset="1" />
          </linearGradient>
        </defs>
        {names.map((name, part) => {
          const level = y((most / 4) * part);
          return (
            <g key={part}>
              <line class={part ? "axis" : "axis floor"} x1={left} x2={width} y1={level} y2={level} />
              <text x={left - 10} y={level + 4} text-anchor="end">
                {name}
              </text>
            </g>
          );
        })}
        {points.map(
          (point, n) =>
            n % every === 0 && (
              <text key={point.name} x={x(n)} y={HEIGHT - 6} text-anchor={x(n) > width - 24 && count > 1 ? "end" : "middle"}>
                {axisName(point.name, isOneDay)}
              </text>
            ),
        )}
        {earlier.length > 0 && <path class="line past" d={line(earlier)} />}
        {whole.length > 1 && <path class="area" d={`${line(whole)}L${x(whole.length - 1).toFixed(1)} ${floor}L${x(0).toFixed(1)} ${floor}Z`} fill={`url(#${fall})`} />}
        <path class="line" d={line(whole)} />
        {isOpen && <path class="line open" d={line(values.slice(-2), count - 2)} />}
        {isOpen && <circle class="dot open" cx={x(count - 1)} cy={y(values[count - 1]!)} r="4" />}
        {[...happened.keys()].map((n) => (
          <path key={n} data-mark={points[n]!.name} d={`M${x(n).toFixed(1)} ${floor - 6}l5 6l-5 6l-5-6Z`} fill="var(--text)" stroke="var(--card)" stroke-width="1.5" />
        ))}
        {count === 1 && points.length > 0 && <circle class="dot" cx={x(0)} cy={y(values[0]!)} r="5" />}
        {at !== undefined && shown && (
          <g>
            <line class="cross" x1={x(at)} x2={x(at)} y1={TOP} y2={floor} />
            {earlier[at] !== undefined && <circle class="dot past" cx={x(at)} cy={y(earlier[at]!)} r="4" />}
            <circle class="dot" cx={x(at)} cy={y(values[at]!)} r="5" />
          </g>
        )}
      </svg>
      <div class={shown ? (x(at!) > width / 2 ? "tip left" : "tip") : "tip off"} style={shown ? { transform: `translateX(${x(at!)}px)` } : undefined} aria-live="polite">
        {shown && (
          <div>
            <b>{fullName(shown.name)}{isOpen && at === count - 1 ? ` · ${say("so_far")}` : ""}</b>
            <p>
              <i class="key" />
              <span>{called}</span>
              <strong>{exact(metric, of(metric, shown))}</strong>
            </p>
            {before[at!] && (
              <p>
                <i class="key past" />
                <span>{fullName(before[at!]!.name)}</span>
                <strong>{exact(metric, of(metric, before[at!]))}</strong>
              </p>
            )}
            {before[at!] && <Change metric={metric} now={of(metric, shown)} before={of(metric, before[at!])} />}
            {happened.get(at!)?.map((text, n) => <p key={n} style={{ alignItems: "baseline", overflowWrap: "anywhere" }}><Mark />{text}</p>)}
          </div>
        )}
      </div>
    </div>
  );
}

/** What stands for something that happened. */
const Mark = () => (
  <svg width="10" height="12" viewBox="0 0 10 12" aria-hidden="true" style={{ flex: "none" }}>
    <path d="M5 0l5 6l-5 6l-5-6Z" fill="var(--text)" />
  </svg>
);

/** What happened, as text: a reader without a pointer has it without walking through the graph. */
export function Happened({ answer }: { answer: Answer | undefined }) {
  if (!answer?.happened.length) return null;
  return (
    <ul class="notes" data-happened aria-label={say("annotations")} tabIndex={0} style={{ display: "block", maxHeight: "120px", overflowY: "auto", minHeight: 0, paddingBottom: 0 }}>
      {answer.happened.map(({ day, text }, n) => (
        <li key={n} style={{ overflowWrap: "anywhere" }}>
          <Mark /> <b>{fullName(day)}</b> <span>{text}</span>
        </li>
      ))}
    </ul>
  );
}

function Table({ answer, metric }: Props) {
  const before = answer.before?.points;
  const columns = ["visitors", "sessions", "page_views", "bounce_rate", "duration"] as const;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={say("table")}>
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">{say("time")}</th>
            {columns.map((one) => (
              <th scope="col" key={one}>
                {say(one)}
              </th>
            ))}
            {before && <th scope="col">{`${say(metric)}, ${say("before")}`}</th>}
          </tr>
        </thead>
        <tbody>
          {answer.points.map((point, n) => (
            <tr key={point.name}>
              <th scope="row">{fullName(point.name)}</th>
              {columns.map((one) => (
                <td key={one}>{exact(one, of(one, point))}</td>
              ))}
              {before && <td>{before[n] ? exact(metric, of(metric, before[n])) : "–"}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A line without axes, for a list of applications. */
export function Spark({ values }: { values: number[] }) {
  const most = Math.max(...values, 1);
  const [width, height] = [240, 52];
  const x = (n: number) => (n * width) / Math.max(values.length - 1, 1);
  const line = values.map((v, n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${(height - 3 - ((height - 8) * v) / most).toFixed(1)}`).join("");
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      {values.length > 1 && <path class="area" d={`${line}L${width} ${height}L0 ${height}Z`} />}
      <path class="line" d={line} vector-effect="non-scaling-stroke" />
    </svg>
  );
}
