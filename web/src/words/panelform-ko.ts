// Korean, of the form of a panel.
import type { Words } from "./panelform-en";

export const words: Words = {
  change_panel: "패널 변경",
  panel_name: "이름",
  drawing: "표시 방식",
  drawn_number: "숫자",
  drawn_line: "시간별 선",
  drawn_bars: "값 목록",
  drawn_table: "표",
  metrics: "표시할 숫자",
  counted_by: "집계 기준",
  most_values: "값의 최대 개수",
  panel_seen_by: "공개 범위",
  panel_personal: "나만",
  panel_shared: "이 애플리케이션을 보는 모두",
  panel_public: "공유 링크를 포함한 모두",
  save_it: "패널 저장",
  panel_kept: "패널을 저장했습니다",
  one_product_name: "상품 이름",
  one_product_category: "상품 카테고리",
  one_click_url: "클릭 대상",
  one_outbound_url: "링크 대상",
  one_currency: "통화",
  which_property: "속성 이름",
  new_panel: "패널 추가",
};
