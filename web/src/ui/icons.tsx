/** The drawings of buttons and badges: 16 × 16, in the colour of the text, never the only sign of anything. */
const PATHS = {
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4 4l8 8M12 4l-8 8",
  play: "M5 3.5v9l7-4.500z",
  pause: "M5.5 3.500v9M10.5 3.500v9",
  stop: "M4 4h8v8H4z",
  clock: "M8 2.200a5.8 5.8 0 110 11.600A5.8 5.8 0 018 2.200M8 5v3.300l2.2 1.4",
  skip: "M4 4l4 4-4 4M9 4l4 4-4 4",
  ban: "M8 2.200a5.8 5.8 0 110 11.600A5.8 5.8 0 018 2.200M4 4l8 8",
  spin: "M8 2.200a5.8 5.8 0 105.8 5.8",
  warn: "M8 2.500l6 11H2zM8 6.500v3.200M8 11.600v.2",
  retry: "M13 8a5 5 0 11-1.5-3.600M13 2v3h-3",
  search: "M7 2.500a4.5 4.5 0 110 9 4.5 4.5 0 010-9M10.3 10.300L14 14",
  runs: "M2.5 4h11M2.5 8h11M2.5 12h7",
  graph: "M3 6.500h3v3H3zM10 2.500h3v3h-3zM10 10.500h3v3h-3zM6 8h2c1.5 0 .5-4 2-4M8 8c1.5 0 .5 4 2 4",
  chart: "M2.5 2.500v11h11M5 10.500l2.5-3.5 2 2L13 4.5",
  list: "M6 4h7.500M6 8h7.500M6 12h7.500M2.5 4h1M2.5 8h1M2.5 12h1",
  timeline: "M2.5 4h6M5 8h6M8 12h5.5",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  box: "M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5L8 8l5.5-3M8 8v6",
  data: "M3 4c0-1.1 2.2-2 5-2s5 .9 5 2-2.2 2-5 2-5-.9-5-2v8c0 1.1 2.2 2 5 2s5-.9 5-2V4M3 8c0 1.1 2.2 2 5 2s5-.9 5-2",
  compare: "M6 3v10M10 3v10M2.5 5.500h3.500M10 10.500h3.500M2.5 10.500h3.500M10 5.500h3.5",
  branch:
    "M5 3v10M5 10c5 0 6-2 6-5M3.5 3a1.5 1.5 0 103 0 1.5 1.5 0 00-3 0M9.5 4a1.5 1.5 0 103 0 1.5 1.5 0 00-3 0M3.5 13a1.5 1.5 0 103 0 1.5 1.5 0 00-3 0",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.500H6M10 2.500h3.500V6M13.5 10v3.500H10M6 13.500H2.500V10",
  menu: "M2.5 4.500h11M2.5 8h11M2.5 11.500h11",
  sun: "M8 5a3 3 0 110 6 3 3 0 010-6M8 1v1.500M8 13.500V15M1 8h1.500M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13 9.500A5.5 5.5 0 016.5 3 5.5 5.5 0 1013 9.500z",
  screen: "M2 3h12v8H2zM6 14h4M8 11v3",
  keys: "M2 4h12v8H2zM4.5 6.500h.1M7 6.500h.1M9.5 6.500h.1M11.5 6.500h.1M5 9.500h6",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
  right: "M6 4l4 4-4 4",
  left: "M10 4L6 8l4 4",
  leave: "M6.5 2.500h-4v11h4M6 8h7.500M10.5 5l3 3-3 3",
  trash: "M3 4.500h10M6.5 4.500V3h3v1.500M4.5 4.500l.5 9h6l.5-9",
  copy: "M5.5 5.500h8v8h-8zM3 10.500H2.500v-8h8V3",
  download: "M8 2.500v8M4.5 7L8 10.5 11.5 7M3 13.500h10",
  hand: "M8 2.200a5.8 5.8 0 110 11.600A5.8 5.8 0 018 2.200M8 5v3.600M8 10.800v.2",
  bolt: "M9 1.800L3.5 9H8l-1 5.200L12.5 7H8z",
  offline: "M2 2l12 12M4 6.500a8 8 0 013-1.500M12 6.500a8 8 0 00-2-1.200M6 9.500a4 4 0 012-.7M8 12.500h.1",
  settings: "M3 5h6M12 5h1M3 11h1M7 11h6M9 5a1.5 1.5 0 103 0 1.5 1.5 0 00-3 0M4 11a1.5 1.5 0 103 0 1.5 1.5 0 00-3 0",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16, spin = false }: { name: IconName; size?: number; spin?: boolean }) {
  return (
    <svg
      class={spin ? "spin" : undefined}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
