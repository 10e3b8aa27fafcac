// Types for pages that call the beacon: `/// <reference path="alt.d.ts" />`, or copy it into the project.

/** A custom value; it keeps its type. `null` and `undefined` are left out. */
type AltValue = string | number | boolean | null | undefined | Date | AltValue[] | { [name: string]: AltValue };

/** What an event says: columns by their long names, and anything else as a custom parameter. */
interface AltEvent {
  page_url?: string;
  referrer?: string;
  title?: string;
  session_id?: string;
  user_id?: string;
  client_sub_id?: string;
  module_id?: string;
  entity_type?: string;
  entity_id?: string;
  search_term?: string;
  result_count?: number;
  /** The application's key, if neither the tag's `data-a` nor the script's address names it. */
  a?: string;
  [custom: string]: AltValue;
}

interface Alt {
  /** Sends an event. */
  (event: string, what?: AltEvent): void;
  /** What all later events say, too. */
  (common: AltEvent): void;
  /** With `--full`: a search, and how many results it had. */
  search?(term: string, results?: number): void;
  /** With `--full`: a product that was put into the cart, taken out of it, or changed in it. */
  cart?(what: "add" | "remove" | "update", product: string, more?: AltEvent): void;
  /** Calls that wait for the script. */
  q?: IArguments[];
}

declare var alt: Alt;
declare interface Window {
  alt: Alt;
}
