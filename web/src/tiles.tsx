// The six numbers with their change. Each chooses what the graph shows.
import { type Answer, value } from "./api";
import { exact, isGoodUp, written } from "./metric";
import { useStage } from "./use";
import { METRICS, type Metric, address } from "./view";
import { change, say } from "./words";

/** An arrow and a percentage; colour only repeats what the arrow and its place say. */
export function Change({ metric, now, before }: { metric: Metric; now: number | undefined; before: number | undefined }) {
  if (now === undefined || before === undefined) return <span class="change" />;
  const by = change(now, before);
  // Nothing can be divided by it, but it is more than nothing.
  if (by === undefined && now > 0) return <span class="change good">{say("new")}</span>;
  if (by === undefined) return <span class="change" />;
  const isSame = Math.abs(now / before - 1) < 0.005;
  const way = isSame ? "same" : now > before === isGoodUp(metric) ? "good" : "bad";
  return (
    <span class={`change ${way}`} title={`${say("before")}: ${exact(metric, before)}`}>
      {isSame ? "" : now > before ? "↑ " : "↓ "}
      {by}
    </span>
  );
}

export function Tiles({ answer }: { answer: Answer | undefined }) {
  const { view, go } = useStage();
  return (
    <div class="tiles" role="group" aria-label={say("statistics")}>
      {METRICS.map((metric) => {
        const to = { ...view, metric };
        const now = answer && value(metric, answer.total);
        const isChosen = view.metric === metric;
        return (
          <a
            key={metric}
            class={isChosen ? "tile chosen" : "tile"}
            href={address(to)}
            aria-current={isChosen ? "true" : undefined}
            data-metric={metric}
            onClick={(event) => {
              if (event.metaKey || event.ctrlKey) return;
              event.preventDefault();
              go(to, true);
            }}
          >
            <span class="name">{say(metric)}</span>
            <span class="big" title={answer && exact(metric, now)}>
              {answer ? written(metric, now) : <i class="wait" />}
            </span>
            {answer?.before ? <Change metric={metric} now={now} before={value(metric, answer.before.total)} /> : <span class="change" />}
          </a>
        );
      })}
    </div>
  );
}

/** In place of rows that are not there yet. */
export const Waiting = ({ rows }: { rows: number }) => (
  <div class="waits" aria-hidden="true">
    {Array.from({ length: rows }, (_, n) => (
      <i key={n} class="wait" style={{ width: `${88 - n * 8}%` }} />
    ))}
  </div>
);
