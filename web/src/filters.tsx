// Chips of the filters, and the dialog that makes one.
import { useEffect, useState } from "preact/hooks";
import { type Question, type Row, dashboard } from "./api";
import { Modal } from "./dialog";
import { useStage } from "./use";
import { type Filter, OPERATORS, PANELS, address, negated, toggled, write } from "./view";
import { type Key, nameOf, say } from "./words";

const OPERATOR_WORDS: Key[] = ["is", "is_not", "contains", "contains_not", "matches", "matches_not"];
const word = (filter: Filter) => say(OPERATOR_WORDS[OPERATORS.indexOf(filter.operator)]!);

/** As people read it. */
export function spoken(filter: Filter): string {
  const isWhole = filter.operator === "is" || filter.operator === "is not";
  const name = isWhole ? nameOf(filter.dimension, filter.value) : filter.value;
  return `${say(`one_${filter.dimension}` as Key)} ${word(filter)} ${name}`;
}

export function Chips() {
  const { view, go } = useStage();
  if (view.filters.length === 0) return null;
  const isWhole = (filter: Filter) => filter.operator === "is" || filter.operator === "is not";
  return (
    <ul class="chips" aria-label={say("filters")}>
      {view.filters.map((filter) => {
        const without = toggled(view, filter);
        const turned = { ...view, filters: view.filters.map((one) => (one === filter ? negated(one) : one)) };
        const is = OPERATORS.indexOf(filter.operator) % 2 ? "chip not" : "chip";
        return (
          <li class={is} key={write(filter)}>
            <button type="button" onClick={() => go(turned)} title={say("negate", spoken(filter))} aria-label={say("negate", spoken(filter))}>
              <span>{say(`one_${filter.dimension}` as Key)}</span> <em>{word(filter)}</em>{" "}
              <b>{isWhole(filter) ? nameOf(filter.dimension, filter.value) : filter.value}</b>
            </button>
            <button type="button" class="x" onClick={() => go(without)} aria-label={say("remove", spoken(filter))}>
              ×
            </button>
          </li>
        );
      })}
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

const DIMENSIONS = [...PANELS.sources, ...PANELS.pages, ...PANELS.places, ...PANELS.devices, ...PANELS.events];

export function FilterDialog({ question, close }: { question: Question; close: () => void }) {
  const { view, go } = useStage();
  const [dimension, setDimension] = useState<string>("page");
  const [operator, setOperator] = useState<(typeof OPERATORS)[number]>("is");
  const [value, setValue] = useState("");
  const [known, setKnown] = useState<Row[]>([]);
  useEffect(() => {
    setKnown([]);
    let isOver = false;
    dashboard({ ...question, dimensions: [dimension], limit: 100 }).then(
      (answer) => !isOver && setKnown(answer.lists[dimension]?.rows ?? []),
      () => {}, // Suggestions are not needed.
    );
    return () => {
      isOver = true;
    };
  }, [dimension]);
  const typed = () => {
    const named = known.find((row) => nameOf(dimension, row.name).toLowerCase() === value.trim().toLowerCase());
    return (operator === "is" || operator === "is not") && named ? named.name : value.trim();
  };
  const add = (event: Event) => {
    event.preventDefault();
    close();
    const filter = { dimension, operator, value: typed() };
    if (!view.filters.some((one) => write(one) === write(filter))) go({ ...view, filters: [...view.filters, filter] });
  };
  return (
    <Modal title={say("add_filter")} close={close}>
      <form class="form" onSubmit={add}>
        <label>
          {say("dimension")}
          <select value={dimension} onChange={(event) => setDimension(event.currentTarget.value)} name="dimension" autofocus>
            {DIMENSIONS.map((one) => (
              <option key={one} value={one}>
                {say(`one_${one}` as Key)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {say("operator")}
          <select value={operator} onChange={(event) => setOperator(event.currentTarget.value as typeof operator)} name="operator">
            {OPERATORS.map((one, n) => (
              <option key={one} value={one}>
                {say(OPERATOR_WORDS[n]!)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {say("value")}
          <input name="value" list="known" value={value} autocomplete="off" required maxLength={500} onInput={(event) => setValue(event.currentTarget.value)} />
          <datalist id="known">
            {known.map((row) => row.name && <option key={row.name} value={nameOf(dimension, row.name)} />)}
          </datalist>
        </label>
        <footer>
          <p class="note">{say("filter_hint")}</p>
          <button type="submit" class="main">
            {say("add_filter")}
          </button>
        </footer>
      </form>
    </Modal>
  );
}

/** The picture of a filter. */
export const Sieve = () => (
  <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M2.500 3.500h11L9.500 8.500v4l-3 1.500v-5.500z" />
  </svg>
);
