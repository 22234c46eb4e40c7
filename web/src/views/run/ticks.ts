/** Where the marks of a time axis stand, in ms: whole seconds, minutes or hours, about as many as wanted. Pure. */
const STEPS = [
  100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3, 7200e3, 21600e3,
  43200e3, 86400e3,
];

export function ticks(length: number, wanted: number): readonly number[] {
  const step = STEPS.find((each) => length / each <= wanted) ?? 86_400e3 * Math.ceil(length / wanted / 86_400e3);
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => index * step).filter(
    (mark) => mark <= length * 0.97,
  );
}
