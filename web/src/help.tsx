// The list of the keys, which are those of Plausible, where it has them: loaded where somebody asks for it. (What all pages share
// is imported, so that it stays one file.)
import "./bar";
import { Modal } from "./dialog";
import "./filters";
import { KEYS, periodName } from "./picker";
import { useStage } from "./use";
import { say } from "./words";

export function Help({ close, keys = [] }: { close: () => void; keys?: [string, string][] | undefined }) {
  const { view } = useStage();
  const periods: [string, string][] = Object.entries(KEYS).map(([key, period]) => [key, periodName(period)]);
  const others: [string, string][] = [
    ...keys,
    ["c", say("custom")],
    ["← →", say("key_back")],
    ["x", say("key_compare")],
    ["f", say("key_filter")],
    ["Esc", say("key_clear")],
    ["i", say("key_interval")],
    ["b", say("key_table")],
    ["1 – 6", say("key_metric")],
    ...(view.share ? [] : ([["r", `${say("live")} / ${say("statistics")}`], ["a", say("all")]] as [string, string][])),
    ["?", say("help")],
  ];
  const List = ({ all }: { all: [string, string][] }) => (
    <dl class="keys">
      {all.map(([key, what]) => (
        <div key={key}>
          <dt>
            <kbd>{key.length === 1 ? key.toUpperCase() : key}</kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
  return (
    <Modal title={say("help")} close={close}>
      <p class="note">{say("help_about")}</p>
      <div class="two">
        <List all={periods} />
        <List all={others} />
      </div>
      <p class="note">{say("filter_hint")}</p>
    </Modal>
  );
}
