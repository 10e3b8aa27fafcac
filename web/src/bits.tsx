// What the parts of the pages of alerts share: how bad one is, its state and labels, and what is done about it.
import { useState } from "preact/hooks";
import { Refused, ask } from "./api";
// The chart is a part of what they share: as a file of its own it would not be smaller.
import "./timechart";
import { type View, toPage } from "./view";
import { type Key, has, number, say, time } from "./words";

export type Said = Record<string, any>;

export const of = (id: string) => `application_id=${encodeURIComponent(id)}`;
export const to = (view: View, args: View["args"]): View => toPage(view, "alerts", args);

/** A value with its unit, to three digits. */
export function valueOf(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return "–";
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? Math.round(value) : Number(value.toPrecision(3));
  return unit ? `${number(digits)} ${unit}` : number(digits);
}

export function Severity({ of: name }: { of: string }) {
  return <span class={`severity ${name}`} data-severity={name}><i aria-hidden="true" />{has(`sev_${name}`) ? say(`sev_${name}` as Key) : name}</span>;
}

const stateName = (name: string) => (has(`st_${name}`) ? say(`st_${name}` as Key) : name);

export function State({ one }: { one: Said }) {
  return (
    <span class="states">
      <span class={`state ${one.state}`} data-state={one.state}>{stateName(one.state)}</span>
      {one.is_silenced && <span class="state silenced">{stateName("silenced")}</span>}
    </span>
  );
}

export const Labels = ({ all }: { all: Record<string, string> }) => (
  <>
    {Object.entries(all).map(([name, value]) => <code key={name} class="label-of">{`${name}=${value}`}</code>)}
  </>
);

/** What it says after the name of its rule. */
export const unitOf = (one: Said) => /\d( %| ms)\)$/.exec(one.title)?.[1]?.trim() ?? "";

export const against = (one: Said) => say("value_against", valueOf(one.value, unitOf(one)), valueOf(one.threshold, unitOf(one)));

/** Does something about an alert; what was said if that cannot be done. */
export function useDeed(changed: () => void): [string, (path: string, body: Said) => Promise<boolean>, string] {
  const [failed, setFailed] = useState("");
  const [done, setDone] = useState("");
  const run = async (path: string, body: Said) => {
    setFailed("");
    try {
      await ask("POST", path, body);
    } catch (error) {
      setFailed((error as Refused).message || say("offline"));
      return false;
    }
    setDone(say("soon"));
    changed();
    return true;
  };
  return [failed, run, done];
}

export const lasted = (one: Said) => time(new Date(one.ended).getTime() - new Date(one.began).getTime());

export const SPANS: [number, Key][] = [[60, "hour_1"], [240, "hours_4"], [1440, "day_1"], [10_080, "week_1"]];

/** For how long. */
export function Span({ label, value, choose, more = [] }: { label: string; value: number; choose: (minutes: number) => void; more?: [number, Key][] }) {
  return (
    <select aria-label={label} value={value} onChange={(event) => choose(Number(event.currentTarget.value))}>
      {[...SPANS, ...more].map(([minutes, name]) => <option key={minutes} value={minutes}>{say(name)}</option>)}
    </select>
  );
}

