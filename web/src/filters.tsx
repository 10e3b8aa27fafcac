// Chips of the filters.
import { useEffect, useState } from "preact/hooks";
import type { Question } from "./api";
import { useStage } from "./use";
import { type Filter, OPERATORS, address, negated, toggled, write } from "./view";
import { type Key, SEGMENT_WORDS, language, learn, nameOf, oneOf, say } from "./words";

export const OPERATOR_WORDS: Key[] = ["is", "is_not", "contains", "contains_not", "matches", "matches_not"];
const word = (filter: Filter) => say(OPERATOR_WORDS[OPERATORS.indexOf(filter.operator)]!);

/** As people read it. */
export function spoken(filter: Filter): string {
  const isWhole = filter.operator === "is" || filter.operator === "is not";
  const name = isWhole ? nameOf(filter.dimension, filter.value) : filter.value;
  return `${oneOf(filter.dimension)} ${word(filter)} ${name}`;
}

/** What is loaded once somebody filters. */
function useTools(isWanted: boolean) {
  const [tools, setTools] = useState<typeof import("./segment")>();
  useEffect(() => {
    if (isWanted && !tools) void Promise.all([import("./segment"), learn(SEGMENT_WORDS[language]!)]).then(([loaded]) => setTools(() => loaded), () => {});
  }, [isWanted]);
  return tools;
}

/** The dialog that makes a filter. */
export function FilterDialog(props: { question: Question; close: () => void }) {
  const tools = useTools(true);
  return tools ? <tools.FilterDialog {...props} /> : null;
}

export function Chips() {
  const { view, go } = useStage();
  const tools = useTools(view.filters.length > 0);
  const isOther = view.traffic !== "human";
  if (view.filters.length === 0 && !isOther) return null;
  const isWhole = (filter: Filter) => filter.operator === "is" || filter.operator === "is not";
  return (
    <ul class="chips" aria-label={say("filters")}>
      {isOther && (
        <li class="chip" data-traffic={view.traffic}>
          <span class="label">
            <b>{nameOf("class", view.traffic)}</b>
          </span>
          <button type="button" class="x" onClick={() => go({ ...view, traffic: "human" })} aria-label={say("remove", nameOf("class", view.traffic))}>
            ×
          </button>
        </li>
      )}
      {view.filters.map((filter) => {
        const without = toggled(view, filter);
        const turned = { ...view, filters: view.filters.map((one) => (one === filter ? negated(one) : one)) };
        const is = OPERATORS.indexOf(filter.operator) % 2 ? "chip not" : "chip";
        return (
          <li class={is} key={write(filter)}>
            <button type="button" onClick={() => go(turned)} title={say("negate", spoken(filter))} aria-label={say("negate", spoken(filter))}>
              <span>{oneOf(filter.dimension)}</span> <em>{word(filter)}</em>{" "}
              <b>{isWhole(filter) ? nameOf(filter.dimension, filter.value) : filter.value}</b>
            </button>
            {tools && filter.dimension === "segment" && <tools.Opened filter={filter} />}
            <button type="button" class="x" onClick={() => go(without)} aria-label={say("remove", spoken(filter))}>
              ×
            </button>
          </li>
        );
      })}
      {tools && <tools.Save />}
      {view.filters.length > 1 && (
        <li>
          <a
            class="quiet"
            href={address({ ...view, filters: [] })}
            onClick={(event) => {
              event.preventDefault();
              go({ ...view, filters: [] });
            }}
          >
            {say("no_filters")}
          </a>
        </li>
      )}
    </ul>
  );
}

/** Opens the dialog, and says how many filters there are: they may be out of sight. */
export function FilterButton({ open }: { open: () => void }) {
  const { length } = useStage().view.filters;
  const name = length ? `${say("filter")} ${length}: ${say("add_filter")}` : say("add_filter");
  return (
    <button type="button" class={length ? "pill on" : "pill"} data-filters={length} onClick={open} aria-label={name} title={`${name} (F)`}>
      <Sieve /> <span class="wide-only">{say("filter")}</span> {length > 0 && <b>{length}</b>}
    </button>
  );
}

const Sieve = () => (
  <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M2.500 3.500h11L9.500 8.500v4l-3 1.500v-5.500z" />
  </svg>
);
