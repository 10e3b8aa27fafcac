// The six numbers: how each is written, and which way is good.
import { type Metric, PROPERTY } from "./view";
import { type Key, compact, number, oneOf, percent, ratio, say, time } from "./words";

/** In little room. */
export function written(metric: Metric, value: number | undefined): string {
  if (value === undefined) return "–";
  if (metric === "bounce_rate") return percent(value);
  if (metric === "duration") return time(value);
  if (metric === "views_per_visit") return ratio(value);
  return compact(value);
}

/** With all digits. */
export const exact = (metric: Metric, value: number | undefined): string =>
  value !== undefined && ["visitors", "sessions", "page_views"].includes(metric) ? number(value) : written(metric, value);

/** Fewer bounces are better. */
export const isGoodUp = (metric: Metric) => metric !== "bounce_rate";

/** A round number that is not below the greatest value, for the top of an axis of four parts. */
export function top(metric: Metric, most: number): number {
  if (metric === "bounce_rate") return most <= 0.2 ? 0.2 : most <= 0.4 ? 0.4 : most <= 0.8 ? 0.8 : 1;
  const unit = metric === "duration" ? 15_000 : 1;
  for (let ten = 1; ; ten *= 10) {
    for (const step of [4, 8, 12, 20, 32]) if (ten * step * unit >= most) return ten * step * unit;
  }
}

/** Values of a dimension, as a title: `search` is a word of its own. */
export const titleOf = (dimension: string) => (dimension.startsWith(PROPERTY) ? oneOf(dimension) : say((dimension === "search" ? "searches" : dimension) as Key));
