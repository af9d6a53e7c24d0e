// The colour scale: roma by Fabio Crameri (ASSETS.md), turned round so that blue is cold and brown
// is hot. Perceptually even, and told apart with each common kind of colour blindness.

const ROMA = [
  "#033198", "#194fa5", "#226ab1", "#2b84bc", "#399dc7", "#53b8d1", "#79d2d7", "#a2e5d4", "#c1eac2",
  "#d1e2a1", "#d0ca72", "#c4aa4a", "#b68c32", "#a97223", "#9d5818", "#8f3c0c", "#7e1700",
].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));

const STEP = 10; // degrees Fahrenheit: the scale begins and ends at a whole ten
const USUAL = [20, 80]; // what it shows at least, so that one warm day does not recolour the map

/** The scale's ends in °F: the usual ones, or farther where `values` or the ends `before` are. */
export function domain(values, before = USUAL) {
  let [low, high] = before;
  for (const value of values) {
    if (value < low) low = Math.floor(value / STEP) * STEP;
    if (value > high) high = Math.ceil(value / STEP) * STEP;
  }
  return low === before[0] && high === before[1] ? before : [low, high];
}

/** Red, green and blue of a temperature between the ends. */
function rgb(fahrenheit, [low, high]) {
  const at = Math.min(1, Math.max(0, (fahrenheit - low) / (high - low))) * (ROMA.length - 1);
  const i = Math.min(ROMA.length - 2, Math.floor(at));
  return ROMA[i].map((from, k) => Math.round(from + (ROMA[i + 1][k] - from) * (at - i)));
}

/** The colour of a temperature as CSS. */
export const colour = (fahrenheit, ends) => `rgb(${rgb(fahrenheit, ends).join(" ")})`;

/** Whether dark letters read better than light ones on a temperature's colour (WCAG luminance). */
export function wantsDarkInk(fahrenheit, ends) {
  const [r, g, b] = rgb(fahrenheit, ends).map((v) => {
    const part = v / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18;
}

/** The whole scale as a CSS gradient. */
export const gradient = () => `linear-gradient(to right, ${ROMA.map((c) => `rgb(${c.join(" ")})`).join(", ")})`;
