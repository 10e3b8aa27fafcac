import type { Words } from "./segment-en";

export const words: Words = {
  save_segment: "セグメントとして保存",
  replace_segment: "セグメントを置き換える",
  segment_name: "セグメントの名前",
  open_segment: "{0}のフィルターを表示",
  seen_by: "公開範囲",
  seen_personal: "自分のみ",
  seen_shared: "このアプリケーションを見る全員",
  seen_public: "共有リンクを含む全員",
};
