import type { Words } from "./segment-en";

export const words: Words = {
  save_segment: "세그먼트로 저장",
  replace_segment: "세그먼트 바꾸기",
  segment_name: "세그먼트 이름",
  open_segment: "{0}의 필터 보기",
  seen_by: "공개 범위",
  seen_personal: "나만",
  seen_shared: "이 애플리케이션을 보는 모두",
  seen_public: "공유 링크를 포함한 모두",
};
