// The dialog that makes a filter, and segments: loaded where somebody filters.
import { useEffect, useState } from "preact/hooks";
import { type Question, type Refused, type Row, type Segment, VISIBILITIES, ask, dashboard, propertiesOf, segments } from "./api";
import { allApplications } from "./bar";
import { Modal } from "./dialog";
import { OPERATOR_WORDS, spoken } from "./filters";
import { useStage } from "./use";
import { type Filter, OPERATORS, PANELS, PROPERTY, negated, readFilter, write } from "./view";
import { nameOf, oneOf, say } from "./words";

/** The segments of the application, if they are needed; and looks again. */
function useSegments(isNeeded: boolean): [Segment[], () => void] {
  const { view } = useStage();
  const [all, setAll] = useState<Segment[]>([]);
  const look = () => void segments(view).then(setAll, () => {}); // The question itself says what is wrong.
  useEffect(() => (isNeeded ? look() : undefined), [isNeeded, view.app]);
  return [all, look];
}

const same = (one: string, two: string) => one.trim().toLowerCase() === two.trim().toLowerCase();

/** What a filter stands for, if that is some filters: what is outside of several is none. */
function unfolded(filter: Filter, all: Segment[]): Filter[] | undefined {
  const texts = all.find((one) => filter.dimension === "segment" && same(one.name, filter.value))?.filters;
  if (filter.operator === "is not" && texts?.length !== 1) return undefined;
  return texts?.map(readFilter).filter((one) => one !== undefined).map((one) => (filter.operator === "is" ? one : negated(one)));
}

/** Opens the segments among the filters. */
export function Opened({ filter }: { filter: Filter }) {
  const { view, go } = useStage();
  const [all] = useSegments(true);
  const inside = unfolded(filter, all);
  if (!inside) return null;
  const open = () => go({ ...view, filters: view.filters.flatMap((one) => (one === filter ? inside : [one])) });
  return (
    <button type="button" class="x" title={inside.map(spoken).join("\n")} onClick={open} aria-label={say("open_segment", filter.value)}>
      ▾
    </button>
  );
}

/** Saves the filters as a segment, if one may. */
export function Save() {
  const { view } = useStage();
  const [mayEdit, setMayEdit] = useState(false);
  const [isSaving, setSaving] = useState(false);
  useEffect(() => {
    if (!view.share) allApplications().then((apps) => setMayEdit(["editor", "owner"].includes(apps.find((one) => one.id === view.app)?.role ?? "")), () => {});
  }, [view.app]);
  if (!mayEdit || view.wall) return null;
  return (
    <li>
      <button type="button" class="quiet" onClick={() => setSaving(true)}>
        {say("save_segment")}
      </button>
      {isSaving && <SaveDialog close={() => setSaving(false)} />}
    </li>
  );
}

/** Keeps the filters under a name, or gives these filters to the segment that has it. */
function SaveDialog({ close }: { close: () => void }) {
  const { view, go } = useStage();
  const [all] = useSegments(true);
  const [name, setName] = useState("");
  const [failed, setFailed] = useState("");
  const there = all.find((one) => same(one.name, name));
  const save = (event: Event) => {
    event.preventDefault();
    const visibility = new FormData(event.currentTarget as HTMLFormElement).get("visibility");
    const filters = view.filters.flatMap((one) => unfolded(one, all) ?? [one]).map(write);
    const path = `/api/v1/segments${there ? `/${there.id}` : ""}?application_id=${encodeURIComponent(view.app)}`;
    ask<Segment>(there ? "PATCH" : "POST", path, { name: name.trim(), filters, visibility }).then(
      (kept) => {
        close();
        go({ ...view, filters: [{ dimension: "segment", operator: "is", value: kept.name }] });
      },
      (error: Refused) => setFailed(error.message || say("offline")),
    );
  };
  return (
    <Modal title={say("save_segment")} close={close}>
      <form class="form" onSubmit={save}>
        <p class="note">{view.filters.map(spoken).join(", ")}</p>
        <label>
          {say("segment_name")}
          <input name="name" value={name} required maxLength={100} autocomplete="off" autofocus onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label>
          {say("seen_by")}
          <select name="visibility" key={there?.id ?? 0}>
            {VISIBILITIES.map((one) => (
              <option key={one} value={one} selected={one === (there?.visibility ?? "shared")}>
                {say(`seen_${one}`)}
              </option>
            ))}
          </select>
        </label>
        {failed && <p class="warn" role="alert">{failed}</p>}
        <footer>
          <button type="submit" class="main">
            {say(there ? "replace_segment" : "save_segment")}
          </button>
        </footer>
      </form>
    </Modal>
  );
}

const DIMENSIONS = [...PANELS.sources, ...PANELS.pages, ...PANELS.places, ...PANELS.devices, ...PANELS.events];

export function FilterDialog({ question, close }: { question: Question; close: () => void }) {
  const { view, go } = useStage();
  const [dimension, setDimension] = useState<string>("page");
  const [operator, setOperator] = useState<(typeof OPERATORS)[number]>("is");
  const [value, setValue] = useState("");
  const [known, setKnown] = useState<Row[]>([]);
  const [saved] = useSegments(true);
  const isSegment = dimension === "segment";
  useEffect(() => {
    setKnown([]);
    if (isSegment) return;
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
          <select value={dimension} onChange={(event) => { setDimension(event.currentTarget.value); setOperator("is"); setValue(""); }} name="dimension" autofocus>
            {[...DIMENSIONS, ...propertiesOf(view.app).map((name) => PROPERTY + name), ...(saved.length ? ["segment"] : [])].map((one) => (
              <option key={one} value={one}>
                {oneOf(one)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {say("operator")}
          <select value={operator} onChange={(event) => setOperator(event.currentTarget.value as typeof operator)} name="operator">
            {OPERATORS.slice(0, isSegment ? 2 : 6).map((one, n) => (
              <option key={one} value={one}>
                {say(OPERATOR_WORDS[n]!)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {say("value")}
          {isSegment ? (
            <select name="value" value={value} required onChange={(event) => setValue(event.currentTarget.value)}>
              <option value="" />
              {saved.map((one) => <option key={one.id} value={one.name}>{one.name}</option>)}
            </select>
          ) : (
            <input name="value" list="known" value={value} autocomplete="off" required maxLength={500} onInput={(event) => setValue(event.currentTarget.value)} />
          )}
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
