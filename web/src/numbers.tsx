// The pages of numbers, which are loaded together: one application, and all of them.
export { All } from "./all";
export { Statistics } from "./statistics";
