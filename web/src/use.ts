// What components share: the view, a clock that asks again, and keys.
import { createContext } from "preact";
import { useContext, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { View } from "./view";

export interface Stage {
  view: View;
  /** Goes to another view; `replace`: without a step for back. */
  go: (to: View, replace?: boolean) => void;
}

export const StageContext = createContext<Stage>(undefined as unknown as Stage);
export const useStage = () => useContext(StageContext);

/** An element in which a chart is drawn, and how wide it is. */
export function useWidth() {
  const [width, setWidth] = useState(1080);
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const look = () => setWidth(Math.max(box.current?.clientWidth ?? 1080, 240));
    look();
    const observer = new ResizeObserver(look);
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  return [box, width] as const;
}

/** Calls again and again while somebody looks at the page. */
export function useEvery(seconds: number, call: () => void) {
  const latest = useRef(call);
  latest.current = call;
  useEffect(() => {
    if (!seconds) return;
    const ring = () => {
      if (!document.hidden) latest.current();
    };
    const timer = setInterval(ring, seconds * 1000);
    document.addEventListener("visibilitychange", ring);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", ring);
    };
  }, [seconds]);
}

/** Calls for a key that is pressed where no text is typed and no dialog is open. */
export function useKeys(press: (key: string, event: KeyboardEvent) => void) {
  const latest = useRef(press);
  latest.current = press;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const at = event.target as HTMLElement;
      const types = at.closest?.("input, select, textarea, dialog, [contenteditable]");
      if (types || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
      latest.current(event.key.length === 1 ? event.key.toLowerCase() : event.key, event);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
